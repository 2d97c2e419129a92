"""Every query on schedules, deliveries and runs."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.notifications.model import EventFacts, Kind, ScheduleState, State
from services.notifications.tables import deliveries, events, runs, schedules

CHANNEL = "deliveries"
EXPANSION_BATCH = 5000

# Suppressed for a reason that can go away again: the ticket was given back, the event was moved.
TICKET_GONE, EVENT_MOVED, EVENT_OFF = "ticket cancelled", "event moved", "event does not take place"
_REVERSIBLE = (TICKET_GONE, EVENT_MOVED, EVENT_OFF)
_WAITING = (State.PENDING, State.RETRY, State.CLAIMED)


def database_now(connection: sa.Connection, offset: timedelta) -> datetime:
    """The one clock of the system: the database's, plus the offset of a rehearsal."""
    now = connection.scalar(sa.select(sa.func.clock_timestamp()))
    assert now is not None, "clock_timestamp() always has a value"
    return now + offset


def notify(connection: sa.Connection) -> None:
    """Wakes the delivery processes when this transaction commits."""
    connection.execute(sa.text(f"NOTIFY {CHANNEL}"))


# -- schedules ----------------------------------------------------------------------------------------


def arm(
    connection: sa.Connection, event: EventFacts, kind: Kind, lead: timedelta, due: datetime, edition: int = 0
) -> int:
    """Makes sure that a schedule waits for `due`; returns its id. One that is done is gone through again."""
    statement = insert(schedules).values(
        event_id=event.id,
        kind=kind,
        lead_minutes=_minutes(lead),
        starts_at=event.starts_at,
        edition=edition,
        due_at=due,
        state=ScheduleState.PENDING,
    )
    statement = statement.on_conflict_do_update(
        index_elements=["event_id", "kind", "lead_minutes", "starts_at", "edition"],
        set_={"state": ScheduleState.PENDING, "cursor": ""},
    )
    return connection.execute(statement.returning(schedules.c.id)).scalar_one()


def supersede(connection: sa.Connection, event_id: str, but: datetime | None) -> None:
    """Takes back what waits for an event, except for the start `but`."""
    other = schedules.c.starts_at != but if but is not None else sa.true()
    connection.execute(
        sa.update(schedules)
        .where(schedules.c.event_id == event_id, schedules.c.state != ScheduleState.SUPERSEDED, other)
        .values(state=ScheduleState.SUPERSEDED)
    )
    other = deliveries.c.starts_at != but if but is not None else sa.true()
    _suppress(connection, EVENT_MOVED if but else EVENT_OFF, deliveries.c.event_id == event_id, other)


def schedule_of(connection: sa.Connection, event_id: str, lead: timedelta, starts_at: datetime) -> str | None:
    """The state of the automatic reminder's schedule, held against expansion until the commit."""
    return connection.scalar(
        sa.select(schedules.c.state)
        .where(
            schedules.c.event_id == event_id,
            schedules.c.kind == Kind.REMINDER,
            schedules.c.lead_minutes == _minutes(lead),
            schedules.c.starts_at == starts_at,
        )
        .with_for_update(read=True)
    )


def claim_due_schedule(connection: sa.Connection, now: datetime) -> sa.Row | None:
    """A schedule that is due and that nobody else expands now; its row stays locked until the commit."""
    return connection.execute(
        sa.select(schedules)
        .where(schedules.c.state == ScheduleState.PENDING, schedules.c.due_at <= now)
        .order_by(schedules.c.due_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).one_or_none()


def expand(connection: sa.Connection, schedule: sa.Row, now: datetime) -> int:
    """Makes the deliveries of the next holders of a claimed schedule; returns how many holders that were."""
    state = State.PENDING if schedule.starts_at > now else State.EXPIRED
    count, last_holder = connection.execute(
        sa.text(
            "WITH batch AS MATERIALIZED (SELECT DISTINCT holder_id FROM tickets WHERE event_id = :event"
            "  AND active AND holder_id > :cursor ORDER BY holder_id LIMIT :limit),"
            " made AS (INSERT INTO deliveries AS d (event_id, kind, lead_minutes, starts_at, edition,"
            "   holder_id, due_at, state, next_attempt_at, finished_at)"
            "  SELECT event_id, kind, lead_minutes, starts_at, edition, holder_id, due_at, :state, :now,"
            "   CASE WHEN :state = 'expired' THEN CAST(:now AS timestamptz) END"
            "  FROM reminder_schedules, batch WHERE id = :schedule"
            "  ON CONFLICT (event_id, kind, lead_minutes, starts_at, holder_id, edition)"
            "  DO UPDATE SET state = :state, next_attempt_at = :now, reason = '', finished_at = NULL"
            "  WHERE d.state = 'suppressed' AND d.reason = ANY(:reversible))"
            " SELECT count(*), max(holder_id) FROM batch"
        ),
        {
            "event": schedule.event_id,
            "cursor": schedule.cursor,
            "limit": EXPANSION_BATCH,
            "schedule": schedule.id,
            "state": state.value,
            "now": now,
            "reversible": list(_REVERSIBLE),
        },
    ).one()
    last = count < EXPANSION_BATCH
    connection.execute(
        sa.update(schedules)
        .where(schedules.c.id == schedule.id)
        .values(
            cursor="" if last else last_holder,
            state=ScheduleState.DONE if last else ScheduleState.PENDING,
        )
    )
    return count


def add_delivery(
    connection: sa.Connection, event: EventFacts, lead: timedelta, holder_id: str, now: datetime
) -> None:
    """The delivery of one who came after the schedule was expanded."""
    schedule = connection.execute(
        sa.select(schedules).where(
            schedules.c.event_id == event.id,
            schedules.c.kind == Kind.REMINDER,
            schedules.c.lead_minutes == _minutes(lead),
            schedules.c.starts_at == event.starts_at,
        )
    ).one()
    state = State.PENDING if event.starts_at > now else State.EXPIRED
    _add_deliveries(connection, schedule, [holder_id], state, now)


def _add_deliveries(
    connection: sa.Connection, schedule: sa.Row, holders: Sequence[str], state: State, now: datetime
) -> None:
    common = {
        "event_id": schedule.event_id,
        "kind": schedule.kind,
        "lead_minutes": schedule.lead_minutes,
        "starts_at": schedule.starts_at,
        "edition": schedule.edition,
        "due_at": schedule.due_at,
        "state": state,
        "next_attempt_at": now,
        "finished_at": now if state == State.EXPIRED else None,
    }
    statement = insert(deliveries).values([{**common, "holder_id": holder} for holder in holders])
    statement = statement.on_conflict_do_update(
        index_elements=["event_id", "kind", "lead_minutes", "starts_at", "holder_id", "edition"],
        set_={"state": state, "next_attempt_at": now, "reason": "", "finished_at": None},
        where=(deliveries.c.state == State.SUPPRESSED) & deliveries.c.reason.in_(_REVERSIBLE),
    )
    connection.execute(statement)


# -- deliveries ---------------------------------------------------------------------------------------


def suppress_holder(connection: sa.Connection, holder_id: str, event_id: str | None, reason: str) -> None:
    """Takes back what waits for one person, for one event or for all."""
    where = deliveries.c.event_id == event_id if event_id is not None else sa.true()
    _suppress(connection, reason, deliveries.c.holder_id == holder_id, where)


def _suppress(connection: sa.Connection, reason: str, *where: sa.ColumnElement[bool]) -> None:
    # The new fence takes a claimed delivery out of its worker's hands.
    connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.state.in_(_WAITING), *where)
        .values(
            state=State.SUPPRESSED,
            reason=reason,
            fence=deliveries.c.fence + 1,
            lease_until=None,
            finished_at=sa.func.now(),
        )
    )


def forget_holder(connection: sa.Connection, holder_id: str, address: str | None) -> None:
    """Takes a person's name and address out of the ledger and the dead letters."""
    connection.execute(
        sa.update(deliveries).where(deliveries.c.holder_id == holder_id).values(address=None, name=None)
    )
    if address:
        connection.execute(
            sa.text(
                "UPDATE dead_letters SET body = replace(body, :address, 'deleted'),"
                " reason = replace(reason, :address, 'deleted') WHERE strpos(body, :address) > 0"
            ),
            {"address": address},
        )


# -- runs ---------------------------------------------------------------------------------------------


def add_run(connection: sa.Connection, run_id: str, event_id: str | None, again: bool, now: datetime) -> None:
    """Notes that a run was asked for; asking again with the same id changes nothing."""
    statement = insert(runs).values(id=run_id, event_id=event_id, again=again, asked_at=now)
    connection.execute(statement.on_conflict_do_nothing())
    notify(connection)


def claim_run(connection: sa.Connection) -> sa.Row | None:
    """A run that nobody has begun; its row stays locked until the commit."""
    return connection.execute(
        sa.select(runs)
        .where(runs.c.started_at.is_(None))
        .order_by(runs.c.asked_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).one_or_none()


def events_due(connection: sa.Connection, now: datetime, lead: timedelta) -> list[str]:
    """The ids of events that start within the lead time."""
    return list(
        connection.execute(
            sa.select(events.c.id).where(
                events.c.starts_at > now,
                events.c.starts_at <= now + lead,
                events.c.status.in_(("scheduled", "ongoing")),
                ~events.c.deleted,
            )
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


def _minutes(lead: timedelta) -> int:
    return int(lead.total_seconds() // 60)
