"""Every query on schedules: one row for each (event, lead time), run by hand, and notice."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.notifications.model import EventFacts, Kind, ScheduleState
from services.notifications.schedule import due_at
from services.notifications.tables import events, schedules

_KEY = ["event_id", "kind", "lead_minutes", "starts_at", "edition"]
_TAKES_PLACE = "NOT deleted AND status IN ('scheduled', 'ongoing')"


def arm(
    connection: sa.Connection,
    event: EventFacts,
    kind: Kind,
    lead: timedelta,
    due: datetime,
    now: datetime,
    edition: int = 0,
) -> int:
    """Makes sure that a schedule waits for `due`; returns its id. One that is done is gone through again."""
    statement = insert(schedules).values(
        event_id=event.id,
        kind=kind,
        lead_minutes=minutes(lead),
        starts_at=event.starts_at,
        edition=edition,
        due_at=due,
        state=ScheduleState.PENDING,
        armed_at=now,
    )
    revived = schedules.c.state == ScheduleState.SUPERSEDED
    statement = statement.on_conflict_do_update(
        index_elements=_KEY,
        set_={
            "state": ScheduleState.PENDING,
            "cursor": "",
            "armed_at": sa.case((revived, now), else_=schedules.c.armed_at),
        },
    )
    return connection.execute(statement.returning(schedules.c.id)).scalar_one()


def arm_first(
    connection: sa.Connection, coming: Sequence[tuple[EventFacts, Sequence[timedelta]]], now: datetime
) -> None:
    """Arms the lead times of events that have no schedules yet."""
    values = [
        {
            "event_id": event.id,
            "kind": Kind.REMINDER,
            "lead_minutes": minutes(lead),
            "starts_at": event.starts_at,
            "due_at": due_at(event.starts_at, lead),
            "state": ScheduleState.PENDING,
            "armed_at": now,
        }
        for event, leads in coming
        for lead in leads
    ]
    if values:
        connection.execute(insert(schedules).values(values).on_conflict_do_nothing())


def arm_reminders(
    connection: sa.Connection, event: EventFacts, leads: Sequence[timedelta], now: datetime
) -> None:
    """Arms those lead times of an event that are not armed for its start yet, and takes back all others."""
    wanted = [minutes(lead) for lead in leads]
    automatic = (schedules.c.event_id == event.id, schedules.c.kind == Kind.REMINDER)
    connection.execute(
        sa.update(schedules)
        .where(*automatic, schedules.c.starts_at == event.starts_at, schedules.c.lead_minutes.not_in(wanted))
        .values(state=ScheduleState.SUPERSEDED)
    )
    armed = connection.execute(
        sa.select(schedules.c.lead_minutes).where(
            *automatic,
            schedules.c.starts_at == event.starts_at,
            schedules.c.state != ScheduleState.SUPERSEDED,
        )
    ).scalars()
    missing = set(wanted) - set(armed)
    for lead in leads:
        if minutes(lead) in missing:
            arm(connection, event, Kind.REMINDER, lead, due_at(event.starts_at, lead), now)


def arm_notice(
    connection: sa.Connection, event: EventFacts, kind: Kind, due: datetime, changed_at: datetime
) -> None:
    """A notice of the event's present version; the same version twice is one notice."""
    statement = insert(schedules).values(
        event_id=event.id,
        kind=kind,
        lead_minutes=0,
        starts_at=event.starts_at,
        edition=event.version,
        due_at=due,
        state=ScheduleState.PENDING,
        armed_at=changed_at,
        changed_at=changed_at,
    )
    connection.execute(statement.on_conflict_do_nothing())


def rearm_cancellation(connection: sa.Connection, event: EventFacts, now: datetime) -> None:
    """Goes through the holders of an event that is off once more; who was told is not told again."""
    # Also a pending notice: its holders may be read just now, and then this waits for the end of that.
    newest = (
        sa.select(sa.func.max(schedules.c.edition))
        .where(schedules.c.event_id == event.id, schedules.c.kind == Kind.CANCELLED)
        .scalar_subquery()
    )
    rearmed = connection.execute(
        sa.update(schedules)
        .where(
            schedules.c.event_id == event.id,
            schedules.c.kind == Kind.CANCELLED,
            schedules.c.edition == newest,
            schedules.c.state != ScheduleState.SUPERSEDED,
        )
        .values(state=ScheduleState.PENDING, cursor="")
    )
    if not rearmed.rowcount:
        arm_notice(connection, event, Kind.CANCELLED, now, now)


def supersede(connection: sa.Connection, event_id: str, but: datetime | None) -> None:
    """Takes back the reminders of an event, except those for the start `but`."""
    other = schedules.c.starts_at != but if but is not None else sa.true()
    connection.execute(
        sa.update(schedules)
        .where(
            schedules.c.event_id == event_id,
            schedules.c.kind.in_((Kind.REMINDER, Kind.MANUAL)),
            schedules.c.state != ScheduleState.SUPERSEDED,
            other,
        )
        .values(state=ScheduleState.SUPERSEDED)
    )


def supersede_notices(connection: sa.Connection, event_id: str) -> datetime | None:
    """Takes back notices that are not out yet; returns when the first edit that they told of was made."""
    rows = connection.execute(
        sa.update(schedules)
        .where(
            schedules.c.event_id == event_id,
            schedules.c.kind.in_((Kind.MOVED, Kind.CANCELLED)),
            schedules.c.state == ScheduleState.PENDING,
        )
        .values(state=ScheduleState.SUPERSEDED)
        .returning(schedules.c.changed_at)
    ).scalars()
    return min(rows, default=None)


def hold_undue(connection: sa.Connection, event_ids: Sequence[str], now: datetime) -> None:
    """Holds the armed reminders of these events that are not due at `now` against expansion until the commit.

    Read lead times and the time after this: what is due by then, the caller sees to himself, and needs no
    lock for it. So what is due is never held, and a stream of orders does not keep it from being claimed.
    """
    connection.execute(
        sa.select(schedules.c.id)
        .where(
            schedules.c.event_id.in_(event_ids),
            schedules.c.kind == Kind.REMINDER,
            schedules.c.state == ScheduleState.PENDING,
            schedules.c.due_at > now,
        )
        .order_by(schedules.c.id)
        .with_for_update(read=True)
    )


def leads_armed(connection: sa.Connection, event_ids: Sequence[str]) -> dict[str, list[timedelta]]:
    """event -> the lead times armed for its start, for many events."""
    rows = connection.execute(
        sa.select(schedules.c.event_id, schedules.c.lead_minutes)
        .join(events, (events.c.id == schedules.c.event_id) & (events.c.starts_at == schedules.c.starts_at))
        .where(
            schedules.c.event_id.in_(event_ids),
            schedules.c.kind == Kind.REMINDER,
            schedules.c.state != ScheduleState.SUPERSEDED,
        )
        .order_by(schedules.c.id)
    )
    leads: dict[str, list[timedelta]] = {}
    for row in rows:
        leads.setdefault(row.event_id, []).append(timedelta(minutes=row.lead_minutes))
    return leads


def armed_leads(connection: sa.Connection, event: EventFacts) -> list[timedelta]:
    """The lead times that are armed for an event's start."""
    found = connection.execute(
        sa.select(schedules.c.lead_minutes).where(
            schedules.c.event_id == event.id,
            schedules.c.kind == Kind.REMINDER,
            schedules.c.starts_at == event.starts_at,
            schedules.c.state != ScheduleState.SUPERSEDED,
        )
    ).scalars()
    return [timedelta(minutes=m) for m in found]


def claim_due(connection: sa.Connection, now: datetime) -> sa.Row | None:
    """A schedule that is due and that nobody else expands now; its row stays locked until the commit."""
    return connection.execute(
        sa.select(schedules)
        .where(schedules.c.state == ScheduleState.PENDING, schedules.c.due_at <= now)
        .order_by(schedules.c.due_at, schedules.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).one_or_none()


def next_due(connection: sa.Connection, now: datetime) -> datetime | None:
    """When the next schedule that is not due yet will be."""
    waiting = (schedules.c.state == ScheduleState.PENDING) & (schedules.c.due_at > now)
    return connection.scalar(sa.select(sa.func.min(schedules.c.due_at)).where(waiting))


def move_on(connection: sa.Connection, schedule: sa.Row, last_holder: str | None) -> None:
    """Notes up to which holder a schedule is expanded; None: it is done."""
    connection.execute(
        sa.update(schedules)
        .where(schedules.c.id == schedule.id)
        .values(
            cursor=last_holder or "",
            state=ScheduleState.PENDING if last_holder is not None else ScheduleState.DONE,
        )
    )


def events_due(connection: sa.Connection, now: datetime) -> list[str]:
    """The ids of events that start within one of their lead times."""
    return list(
        connection.execute(
            sa.select(schedules.c.event_id)
            .join(
                events, (events.c.id == schedules.c.event_id) & (events.c.starts_at == schedules.c.starts_at)
            )
            .where(
                schedules.c.kind == Kind.REMINDER,
                schedules.c.starts_at == events.c.starts_at,
                schedules.c.state != ScheduleState.SUPERSEDED,
                schedules.c.due_at <= now,
                events.c.starts_at > now,
                sa.text(_TAKES_PLACE.replace("status", "events.status")),
            )
            .distinct()
        ).scalars()
    )


def next_edition(connection: sa.Connection, event_id: str, starts_at: datetime, again: bool) -> int:
    """The edition of a reminder by hand: the last one, or a new one when asked for `again`."""
    last = connection.scalar(
        sa.select(sa.func.max(schedules.c.edition)).where(
            schedules.c.event_id == event_id,
            schedules.c.kind == Kind.MANUAL,
            schedules.c.starts_at == starts_at,
        )
    )
    if last is None:
        return 0
    return last + 1 if again else last


def rearm_defaults(connection: sa.Connection, lead: timedelta, now: datetime) -> None:
    """Arms coming events without lead times of their own for today's default, and takes back another."""
    connection.execute(
        sa.text(
            "UPDATE reminder_schedules AS s SET state = 'superseded' FROM events AS e WHERE e.id = s.event_id"
            " AND e.reminders IS NULL AND s.state = 'pending' AND s.kind = 'reminder'"
            " AND s.lead_minutes <> :lead AND s.starts_at > :now"
        ),
        {"lead": minutes(lead), "now": now},
    )
    connection.execute(
        sa.text(
            "INSERT INTO reminder_schedules"
            " (event_id, kind, lead_minutes, starts_at, due_at, state, armed_at)"
            " SELECT id, 'reminder', :lead, starts_at, starts_at - make_interval(mins => :lead), 'pending',"
            "  CAST(:now AS timestamptz)"
            f" FROM events WHERE starts_at > :now AND {_TAKES_PLACE} AND reminders IS NULL"
            " ON CONFLICT (event_id, kind, lead_minutes, starts_at, edition)"
            " DO UPDATE SET state = 'pending', cursor = '', armed_at = excluded.armed_at"
            " WHERE reminder_schedules.state = 'superseded'"
        ),
        {"lead": minutes(lead), "now": now},
    )


def minutes(lead: timedelta) -> int:
    """A lead time as its column has it."""
    return int(lead.total_seconds() // 60)
