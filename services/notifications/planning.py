"""From facts to deliveries: arming schedules, expanding what is due, taking up runs."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog

from services.notifications import mailings, projections, recipients, schedules, store
from services.notifications.errors import EventOver
from services.notifications.mailings import Mailing
from services.notifications.model import EventFacts, Kind
from services.notifications.projections import Change
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

# A transaction of the planning goes up to so many holders, or so many schedules of few holders.
EXPANSION_BATCH = 2000
SCHEDULES_AT_ONCE = 20


def follow_event(connection: sa.Connection, change: Change, rules: ReminderSettings, now: datetime) -> None:
    """Brings schedules, waiting mails and notices of an event that changed in line with it."""
    event = change.after
    if event.takes_place:
        unconfirmed = _arm(connection, event, rules, now)
        if change.before is not None and change.before.called_off:
            unconfirmed += recipients.unconfirmed_while_off(connection, event.id)
        recipients.withdraw_kind(connection, event.id, [Kind.CANCELLED], recipients.EVENT_MOVED, now)
        confirm_orders(connection, unconfirmed, rules.clock_offset)
    else:
        schedules.supersede(connection, event.id, but=None)
        recipients.withdraw_reminders(connection, event.id, recipients.EVENT_OFF, now)
        off = [Kind.CONFIRMATION, Kind.MOVED]
        recipients.withdraw_kind(connection, event.id, off, recipients.EVENT_OFF, now)
    _announce(connection, change, rules, now)
    store.notify(connection)


def arm_new(
    connection: sa.Connection, events: Sequence[EventFacts], rules: ReminderSettings, now: datetime
) -> None:
    """As follow_event for events that nobody had told of: nothing to take back, nothing to tell."""
    coming = [(event, leads_of(event, rules.lead)) for event in events if event.takes_place]
    if coming:
        schedules.arm_first(connection, coming, now)
        store.notify(connection)


def _arm(connection: sa.Connection, event: EventFacts, rules: ReminderSettings, now: datetime) -> list[str]:
    leads = leads_of(event, rules.lead)
    schedules.supersede(connection, event.id, but=event.starts_at)
    moved = recipients.withdraw_reminders(
        connection, event.id, recipients.EVENT_MOVED, now, but=event.starts_at
    )
    schedules.arm_reminders(connection, event, leads, now)
    gone = recipients.withdraw_leads(connection, event, [schedules.minutes(lead) for lead in leads], now)
    recipients.move_confirmations(connection, event)
    return moved + gone


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
        if ticket_id is not None and not recipients.is_confirmed(connection, ticket_id):
            # On record, for when the event takes place again.
            mailings.add_confirmations(connection, [(ticket_id, event.id, event.starts_at, holder_id)], now)
            recipients.withdraw_confirmation(connection, ticket_id, recipients.EVENT_OFF, now)
        return
    seen = store.database_now(connection, offset)
    schedules.hold_undue(connection, [event.id], seen)
    leads = schedules.armed_leads(connection, event)
    now = max(seen, store.database_now(connection, offset))
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
    reminds = mail.kind == Kind.REMINDER and _remind_late(
        connection, event, holder_id, ticket_id if confirm else None, leads, mail, now
    )
    if confirm and not reminds:
        assert ticket_id is not None, "only an order is confirmed"
        mailings.add_confirmations(connection, [(ticket_id, event.id, event.starts_at, holder_id)], now)
    store.notify(connection)


def confirm_orders(connection: sa.Connection, ticket_ids: Sequence[str], offset: timedelta) -> None:
    """Confirms orders whose mail will not come: by another reminder that waits for the holder, or plainly."""
    if ticket_ids:
        recipients.stop_confirming(connection, ticket_ids)
    for ticket_id in ticket_ids:
        holding = projections.holding_of(connection, ticket_id)
        event = projections.find_event(connection, holding[0]) if holding else None
        if holding is None or event is None or recipients.is_confirmed(connection, ticket_id):
            continue
        if not recipients.let_confirm(connection, event.id, holding[1], ticket_id):
            follow_order(connection, event, holding[1], ticket_id, offset)


def _remind_late(
    connection: sa.Connection,
    event: EventFacts,
    holder_id: str,
    confirms: str | None,
    leads: list[timedelta],
    mail: OrderMail,
    now: datetime,
) -> bool:
    """False when the expansion, which goes on at the same time, made his reminder first."""
    added = False
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
            due_at=now,
            confirms=confirms if nearest else None,
            covered=not nearest,
        )
        fresh = mailings.add(connection, reminder, [holder_id], now)
        added |= nearest and fresh > 0
    return added


def plan_due(engine: sa.Engine, rules: ReminderSettings, on_step: Callable[[], None] = lambda: None) -> int:
    """Expands every schedule that is due and takes up every run; returns how many holders were looked at.

    `on_step` is called after each commit that made deliveries. Any number of processes may do this at once:
    each step claims its row. A step that fails leaves its row for the next one.
    """
    while _start_run(engine, rules):
        pass
    total = 0
    while True:
        with engine.begin() as connection:
            done, holders = _expand_some(connection, rules)
        if not done:
            return total
        total += holders
        on_step()


def _expand_some(connection: sa.Connection, rules: ReminderSettings) -> tuple[int, int]:
    """(how many schedules, of how many holders); a commit for each of many small events takes long."""
    now = store.database_now(connection, rules.clock_offset)
    count = holders = 0
    while count < SCHEDULES_AT_ONCE and holders < EXPANSION_BATCH:
        schedule = schedules.claim_due(connection, now)
        if schedule is None:
            break
        holders += expand(connection, schedule, now, rules.clock_offset)
        count += 1
    if count:
        store.notify(connection)
    return count, holders


def expand(connection: sa.Connection, schedule: sa.Row, now: datetime, offset: timedelta) -> int:
    """Makes the deliveries of the next holders of a claimed schedule; returns how many holders that were."""
    if Kind(schedule.kind).is_notice:
        holders = _expand_notice(connection, schedule, now)
    else:
        holders = recipients.next_holders(connection, schedule, EXPANSION_BATCH)
        _expand_reminder(connection, schedule, holders, now, offset)
    schedules.move_on(connection, schedule, holders[-1] if len(holders) == EXPANSION_BATCH else None)
    return len(holders)


def _expand_reminder(
    connection: sa.Connection, schedule: sa.Row, holders: list[str], now: datetime, offset: timedelta
) -> None:
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
        # One that was armed late could not be sent before; one that was expanded late could.
        max(schedule.due_at, schedule.armed_at or schedule.due_at),
        schedule.edition,
        covered=automatic and nearest_due(schedule.starts_at, leads, now) not in (lead, None),
        late=automatic and schedule.armed_at is not None and schedule.armed_at > schedule.due_at,
    )
    longer = any(other > lead for other in leads)
    unconfirmed = recipients.withdraw_covered(connection, schedule, holders, now) if longer else []
    mailings.add(connection, mailing, holders, now)
    confirm_orders(connection, unconfirmed, offset)


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
    mailings.add(connection, mailing, [h for h, _ in told], now, [version for _, version in told])
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
