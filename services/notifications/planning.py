"""From facts to deliveries: arming schedules, expanding what is due, taking up runs."""

from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog

from services.notifications import projections, recipients, schedules, store
from services.notifications.errors import EventOver
from services.notifications.model import EventFacts, Kind
from services.notifications.projections import Change
from services.notifications.recipients import Mailing
from services.notifications.schedule import (
    OrderMail,
    due_at,
    is_news,
    kind_of_run,
    leads_of,
    mail_of_order,
    nearest_due,
    notice_due,
    notice_of,
)
from services.notifications.settings import ReminderSettings
from services.notifications.tables import run_schedules, runs

log = structlog.get_logger(__name__)

EXPANSION_BATCH = 5000


def follow_event(connection: sa.Connection, change: Change, rules: ReminderSettings, now: datetime) -> None:
    """Brings schedules, waiting mails and notices of an event that changed in line with it."""
    event = change.after
    if event.takes_place:
        orphans = _arm(connection, event, rules, now)
        recipients.withdraw_kind(connection, event.id, [Kind.CANCELLED], recipients.EVENT_MOVED, now)
        for holder_id, ticket_id in orphans:
            follow_order(connection, event, holder_id, ticket_id, rules.clock_offset)
    else:
        schedules.supersede(connection, event.id, but=None)
        recipients.withdraw_reminders(connection, event.id, recipients.EVENT_OFF, now)
        off = [Kind.CONFIRMATION, Kind.MOVED]
        recipients.withdraw_kind(connection, event.id, off, recipients.EVENT_OFF, now)
    _announce(connection, change, rules, now)
    store.notify(connection)


def _arm(
    connection: sa.Connection, event: EventFacts, rules: ReminderSettings, now: datetime
) -> list[tuple[str, str]]:
    leads = leads_of(event, rules.lead)
    schedules.supersede(connection, event.id, but=event.starts_at)
    orphans = recipients.withdraw_reminders(
        connection, event.id, recipients.EVENT_MOVED, now, but=event.starts_at
    )
    schedules.arm_reminders(connection, event, leads, now)
    recipients.withdraw_leads(connection, event, [schedules.minutes(lead) for lead in leads], now)
    recipients.move_confirmations(connection, event)
    return orphans


def _announce(connection: sa.Connection, change: Change, rules: ReminderSettings, now: datetime) -> None:
    """Arms the notice that a change asks for, in place of one that is not out yet."""
    event = change.after
    kind = notice_of(change.before, event, now)
    if kind is None:
        return
    first_edit = schedules.supersede_notices(connection, event.id) or now
    recipients.withdraw_kind(connection, event.id, [Kind.MOVED], recipients.EVENT_MOVED, now)
    due = now if kind == Kind.CANCELLED else _settled(change, rules, now, first_edit)
    schedules.arm_notice(connection, event, kind, due, first_edit)


def _settled(change: Change, rules: ReminderSettings, now: datetime, first_edit: datetime) -> datetime:
    starts = [facts.starts_at for facts in (change.before, change.after) if facts is not None]
    return notice_due(now, first_edit, rules.settle, min(starts))


def follow_order(
    connection: sa.Connection, event: EventFacts, holder_id: str, ticket_id: str | None, offset: timedelta
) -> None:
    """The mail that follows from an order; without `ticket_id` there is nothing to confirm."""
    if event.called_off:
        # Its notice may be out already, and nothing else tells this holder.
        now = store.database_now(connection, offset)
        if event.starts_at > now:
            schedules.rearm_cancellation(connection, event, now)
            store.notify(connection)
        return
    leads = [timedelta(minutes=row.lead_minutes) for row in schedules.hold_reminders(connection, event)]
    now = store.database_now(connection, offset)
    confirm = ticket_id is not None and not recipients.is_confirmed(connection, ticket_id)
    mail = mail_of_order(
        event,
        leads,
        now,
        confirm=confirm,
        reminded=recipients.is_reminded(connection, event, holder_id),
        wants_reminders=recipients.wants_reminders(connection, event, holder_id),
    )
    if mail is None:
        return
    if mail.kind == Kind.CONFIRMATION:
        assert ticket_id is not None, "only an order is confirmed"
        confirmation = Mailing(event.id, mail.kind, 0, event.starts_at, now, subject_id=ticket_id)
        recipients.add(connection, confirmation, [holder_id], now)
    else:
        _remind_late(connection, event, holder_id, ticket_id if confirm else None, leads, mail, now)
    store.notify(connection)


def confirm_order(connection: sa.Connection, ticket_id: str, offset: timedelta) -> None:
    """Confirms an order whose reminder was to do so and will not come."""
    holding = projections.holding_of(connection, ticket_id)
    event = projections.find_event(connection, holding[0]) if holding else None
    if holding is not None and event is not None:
        follow_order(connection, event, holding[1], ticket_id, offset)


def _remind_late(
    connection: sa.Connection,
    event: EventFacts,
    holder_id: str,
    confirms: str | None,
    leads: list[timedelta],
    mail: OrderMail,
    now: datetime,
) -> None:
    for lead in leads:
        due = due_at(event.starts_at, lead)
        if due > now:
            continue
        nearest = lead == mail.lead
        reminder = Mailing(
            event.id,
            Kind.REMINDER,
            schedules.minutes(lead),
            event.starts_at,
            due_at=due,
            confirms=confirms if nearest else None,
            covered=not nearest,
        )
        recipients.add(connection, reminder, [holder_id], now)


def plan_due(engine: sa.Engine, rules: ReminderSettings) -> int:
    """Expands every schedule that is due and takes up every run; returns how many holders were looked at.

    Any number of processes may do this at once: each step claims its row. A step that fails leaves its row
    for the next one.
    """
    while _start_run(engine, rules):
        pass
    total = 0
    while True:
        with engine.begin() as connection:
            now = store.database_now(connection, rules.clock_offset)
            schedule = schedules.claim_due(connection, now)
            if schedule is None:
                return total
            total += expand(connection, schedule, now)
            store.notify(connection)


def expand(connection: sa.Connection, schedule: sa.Row, now: datetime) -> int:
    """Makes the deliveries of the next holders of a claimed schedule; returns how many holders that were."""
    if Kind(schedule.kind).is_notice:
        holders = _expand_notice(connection, schedule, now)
    else:
        holders = recipients.next_holders(connection, schedule, EXPANSION_BATCH)
        _expand_reminder(connection, schedule, holders, now)
    schedules.move_on(connection, schedule, holders[-1] if len(holders) == EXPANSION_BATCH else None)
    return len(holders)


def _expand_reminder(connection: sa.Connection, schedule: sa.Row, holders: list[str], now: datetime) -> None:
    event = projections.find_event(connection, schedule.event_id)
    if not holders or event is None:
        return
    lead, automatic = timedelta(minutes=schedule.lead_minutes), schedule.kind == Kind.REMINDER
    leads = schedules.armed_leads(connection, event) if automatic else []
    mailing = Mailing(
        schedule.event_id,
        Kind(schedule.kind),
        schedule.lead_minutes,
        schedule.starts_at,
        schedule.due_at,
        schedule.edition,
        covered=automatic and nearest_due(schedule.starts_at, leads, now) not in (lead, None),
        late=automatic and schedule.armed_at is not None and schedule.armed_at > schedule.due_at,
    )
    orphans: list[tuple[str, str]] = []
    if any(longer > lead for longer in leads):
        orphans = recipients.withdraw_covered(connection, schedule, holders, now)
    recipients.add(connection, mailing, holders, now)
    if orphans:
        recipients.confirm_by(connection, schedule, orphans)


def _expand_notice(connection: sa.Connection, schedule: sa.Row, now: datetime) -> list[str]:
    contents = projections.find_contents(connection, schedule.event_id)
    truth = contents[schedule.edition]
    event = projections.find_event(connection, schedule.event_id)
    if event is None or event.called_off != (schedule.kind == Kind.CANCELLED):
        return []
    informed = recipients.next_informed(connection, schedule, EXPANSION_BATCH)
    told = []
    for holder, known, read in informed:
        # A reminder may have told of a change that was taken back since, or that an event takes place again.
        versions = (known, read) if read > known else (known,)
        told += [(holder, v) for v in versions if v in contents and is_news(contents[v], truth)][:1]
    mailing = Mailing(
        schedule.event_id, Kind(schedule.kind), 0, schedule.starts_at, schedule.due_at, schedule.edition
    )
    recipients.add(connection, mailing, [h for h, _ in told], now, [version for _, version in told])
    return [holder for holder, _, _ in informed]


def _start_run(engine: sa.Engine, rules: ReminderSettings) -> bool:
    with engine.begin() as connection:
        run = store.claim_run(connection)
        if run is None:
            return False
        now = store.database_now(connection, rules.clock_offset)
        ids = [run.event_id] if run.event_id else schedules.events_due(connection, now)
        problem = ""
        for event_id in ids:
            try:
                _join(connection, run, event_id, rules, now)
            except EventOver as error:
                problem = str(error)
        connection.execute(sa.update(runs).where(runs.c.id == run.id).values(started_at=now, problem=problem))
    return True


def _join(
    connection: sa.Connection, run: sa.Row, event_id: str, rules: ReminderSettings, now: datetime
) -> None:
    """Arms what a run means for one event, and notes that it belongs to the run."""
    event = projections.find_event(connection, event_id)
    if event is None:
        raise EventOver(f"Nobody knows an event {event_id}.")
    leads = leads_of(event, rules.lead)
    kind = kind_of_run(event, leads, now)
    lead = nearest_due(event.starts_at, leads, now)
    if lead is not None:
        schedule_id = schedules.arm(connection, event, kind, lead, due_at(event.starts_at, lead), now)
    else:
        edition = schedules.next_edition(connection, event_id, event.starts_at, run.again)
        schedule_id = schedules.arm(connection, event, kind, timedelta(0), now, now, edition)
    connection.execute(sa.insert(run_schedules).values(run_id=run.id, schedule_id=schedule_id))
