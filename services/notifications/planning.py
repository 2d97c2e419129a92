"""From facts to deliveries: arming schedules, expanding what is due, taking up runs."""

from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog

from services.notifications import projections, store
from services.notifications.errors import EventOver
from services.notifications.model import Kind, ScheduleState
from services.notifications.schedule import due_at, kind_of_run
from services.notifications.tables import run_schedules, runs

log = structlog.get_logger(__name__)


def follow_event(connection: sa.Connection, event_id: str, lead: timedelta, now: datetime) -> None:
    """Brings the schedules of an event that changed in line with it."""
    event = projections.find_event(connection, event_id)
    if event is None:
        return
    if not event.takes_place:
        store.supersede(connection, event_id, but=None)
        return
    store.supersede(connection, event_id, but=event.starts_at)
    state = store.schedule_of(connection, event_id, lead, event.starts_at)
    if state in (None, ScheduleState.SUPERSEDED):
        store.arm(connection, event, Kind.REMINDER, lead, due_at(event.starts_at, lead))
        if due_at(event.starts_at, lead) <= now:
            store.notify(connection)


def follow_holder(
    connection: sa.Connection, event_id: str, holder_id: str, lead: timedelta, now: datetime
) -> None:
    """Brings the delivery of one person in line with whether he holds a ticket."""
    if not projections.holds_ticket(connection, event_id, holder_id):
        store.suppress_holder(connection, holder_id, event_id, store.TICKET_GONE)
        return
    event = projections.find_event(connection, event_id)
    if event is None or not event.takes_place:
        return
    if store.schedule_of(connection, event_id, lead, event.starts_at) == ScheduleState.DONE:
        store.add_delivery(connection, event, lead, holder_id, now)
        store.notify(connection)


def plan_due(engine: sa.Engine, lead: timedelta, offset: timedelta) -> int:
    """Expands every schedule that is due and takes up every run; returns how many deliveries were looked at.

    Any number of processes may do this at once: each step claims its row. A step that fails leaves its row
    for the next one.
    """
    while _start_run(engine, lead, offset):
        pass
    total = 0
    while True:
        with engine.begin() as connection:
            now = store.database_now(connection, offset)
            schedule = store.claim_due_schedule(connection, now)
            if schedule is None:
                return total
            total += store.expand(connection, schedule, now)
            store.notify(connection)


def _start_run(engine: sa.Engine, lead: timedelta, offset: timedelta) -> bool:
    with engine.begin() as connection:
        run = store.claim_run(connection)
        if run is None:
            return False
        now = store.database_now(connection, offset)
        ids = [run.event_id] if run.event_id else store.events_due(connection, now, lead)
        problem = ""
        for event_id in ids:
            try:
                _join(connection, run, event_id, lead, now)
            except EventOver as error:
                problem = str(error)
        connection.execute(sa.update(runs).where(runs.c.id == run.id).values(started_at=now, problem=problem))
    return True


def _join(connection: sa.Connection, run: sa.Row, event_id: str, lead: timedelta, now: datetime) -> None:
    """Arms what a run means for one event, and notes that it belongs to the run."""
    event = projections.find_event(connection, event_id)
    if event is None:
        raise EventOver(f"Nobody knows an event {event_id}.")
    kind = kind_of_run(event, lead, now)
    if kind == Kind.REMINDER:
        schedule_id = store.arm(connection, event, kind, lead, due_at(event.starts_at, lead))
    else:
        edition = store.next_edition(connection, event_id, event.starts_at, run.again)
        schedule_id = store.arm(connection, event, kind, timedelta(0), now, edition)
    connection.execute(sa.insert(run_schedules).values(run_id=run.id, schedule_id=schedule_id))


def rearm_all(connection: sa.Connection, lead: timedelta, now: datetime) -> None:
    """Arms the coming events for today's lead time; what waits for another one is taken back."""
    minutes = int(lead.total_seconds() // 60)
    connection.execute(
        sa.text(
            "UPDATE reminder_schedules SET state = 'superseded' WHERE state = 'pending'"
            " AND kind = 'reminder' AND lead_minutes <> :lead AND starts_at > :now"
        ),
        {"lead": minutes, "now": now},
    )
    connection.execute(
        sa.text(
            "INSERT INTO reminder_schedules (event_id, kind, lead_minutes, starts_at, due_at, state)"
            " SELECT id, 'reminder', :lead, starts_at, starts_at - make_interval(mins => :lead), 'pending'"
            " FROM events WHERE starts_at > :now AND NOT deleted AND status IN ('scheduled', 'ongoing')"
            " ON CONFLICT (event_id, kind, lead_minutes, starts_at, edition)"
            " DO UPDATE SET state = 'pending' WHERE reminder_schedules.state = 'superseded'"
        ),
        {"lead": minutes, "now": now},
    )
