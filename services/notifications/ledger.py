"""What became of the reminders: the queries behind runs, the ledger and retry."""

from typing import Any

import sqlalchemy as sa

from services.notifications import leases
from services.notifications.errors import UnknownDelivery, UnknownRun
from services.notifications.model import Kind, ScheduleState, State
from services.notifications.tables import attempts, deliveries, run_schedules, runs, schedules

_OPEN = (State.PENDING, State.CLAIMED, State.SENDING, State.RETRY)


def _delivery_of_schedule() -> sa.ColumnElement[bool]:
    return sa.and_(
        deliveries.c.event_id == schedules.c.event_id,
        deliveries.c.kind == schedules.c.kind,
        deliveries.c.lead_minutes == schedules.c.lead_minutes,
        deliveries.c.starts_at == schedules.c.starts_at,
        deliveries.c.edition == schedules.c.edition,
    )


def get_run(connection: sa.Connection, run_id: str) -> dict[str, Any]:
    """A run as the API answers it; raises UnknownRun."""
    run = connection.execute(sa.select(runs).where(runs.c.id == run_id)).one_or_none()
    if run is None:
        raise UnknownRun("There is no such run.")
    mine = sa.select(schedules).join(run_schedules).where(run_schedules.c.run_id == run_id)
    targets = connection.execute(mine).all()
    counts: dict[str, int] = dict.fromkeys(State, 0)
    finished_at = run.started_at
    joined = deliveries.join(schedules, _delivery_of_schedule()).join(run_schedules)
    for row in connection.execute(
        sa.select(deliveries.c.state, sa.func.count().label("n"), sa.func.max(deliveries.c.finished_at))
        .select_from(joined)
        .where(run_schedules.c.run_id == run_id)
        .group_by(deliveries.c.state)
    ):
        counts[row[0]] = row.n
        finished_at = max(filter(None, (finished_at, row[2])), default=None)
    state = _run_state(run.started_at is not None, targets, counts)
    return {
        "id": run.id,
        "event_id": run.event_id,
        "state": state,
        "problem": run.problem,
        "events": len(targets),
        "recipients": sum(counts.values()),
        "accepted": counts[State.ACCEPTED],
        "retrying": counts[State.RETRY],
        "failed": counts[State.FAILED] + counts[State.UNKNOWN],
        "suppressed": counts[State.SUPPRESSED],
        "expired": counts[State.EXPIRED],
        "asked_at": run.asked_at,
        "started_at": run.started_at,
        "finished_at": finished_at if state == "finished" else None,
    }


def _run_state(started: bool, targets: Any, counts: dict[str, int]) -> str:
    if not started:
        return "queued"
    waiting = any(target.state == ScheduleState.PENDING for target in targets)
    return "running" if waiting or any(counts[state] for state in _OPEN) else "finished"


def event_summary(connection: sa.Connection, event_id: str) -> dict[str, Any]:
    """Schedules, counts by state and punctuality in seconds of an event. Test mails do not count."""
    counts = {
        row.state: row.n
        for row in connection.execute(
            sa.select(deliveries.c.state, sa.func.count().label("n"))
            .where(*_mails_of(event_id))
            .group_by(deliveries.c.state)
        )
    }
    plans = connection.execute(
        sa.select(schedules)
        .where(schedules.c.event_id == event_id)
        .order_by(schedules.c.due_at, schedules.c.id)
    )
    return {
        "event_id": event_id,
        "schedule": [_schedule(row) for row in plans],
        "counts": counts,
        "punctuality": _punctuality(connection, event_id),
        "paused": [row._asdict() for row in leases.pauses(connection, event_id)],
    }


def deliveries_of(
    connection: sa.Connection, event_id: str, limit: int, after: int = 0, offset: int = 0
) -> list[dict[str, Any]]:
    """Deliveries of an event with an id above `after`, each with its whole story."""
    rows = connection.execute(
        sa.select(deliveries)
        .where(*_mails_of(event_id), deliveries.c.id > after)
        .order_by(deliveries.c.id)
        .limit(limit)
        .offset(offset)
    ).all()
    tried = connection.execute(
        sa.select(attempts)
        .where(attempts.c.delivery_id.in_([row.id for row in rows]))
        .order_by(attempts.c.id)
    )
    histories: dict[int, list[dict[str, Any]]] = {}
    for row in tried:
        said = {"at": row.at, "worker": row.worker, "state": row.state, "answer": f"{row.code} {row.answer}"}
        histories.setdefault(row.delivery_id, []).append(said)
    return [_delivery(row, histories.get(row.id, [])) for row in rows]


def _mails_of(event_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return deliveries.c.event_id == event_id, deliveries.c.kind != Kind.TEST


def _punctuality(connection: sa.Connection, event_id: str) -> dict[str, float | None]:
    row = connection.execute(
        sa.text(
            "SELECT percentile_cont(ARRAY[0.5, 0.95, 1]) WITHIN GROUP (ORDER BY"
            " extract(epoch FROM finished_at - due_at)) AS late"
            " FROM deliveries WHERE event_id = :event AND state = 'accepted' AND kind <> 'test'"
        ),
        {"event": event_id},
    ).one()
    late = [None if value is None else round(value, 3) for value in row.late or (None, None, None)]
    return {"p50": late[0], "p95": late[1], "max": late[2]}


def _schedule(row: sa.Row) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "lead_minutes": row.lead_minutes,
        "starts_at": row.starts_at,
        "due_at": row.due_at,
        "state": row.state,
    }


def _delivery(row: sa.Row, history: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "kind": row.kind,
        "lead_minutes": row.lead_minutes,
        "starts_at": row.starts_at,
        "holder_id": row.holder_id,
        "address": row.address,
        "ticket_id": row.subject_id or row.confirms,
        "state": row.state,
        "reason": row.reason,
        "attempts": row.attempts,
        "created_at": row.created_at,
        "due_at": row.due_at,
        "useless_after": row.useless_after,
        "claimed_at": row.claimed_at,
        "sending_at": row.sending_at,
        "finished_at": row.finished_at,
        "worker": row.worker,
        "answer": None if row.answer_code is None else f"{row.answer_code} {row.answer_text}",
        "history": history,
    }


def retry_delivery(connection: sa.Connection, delivery_id: str) -> None:
    """Tries a failed or unknown delivery once more, and ends a pause of its campaign.

    Raises UnknownDelivery when there is none such.
    """
    if not delivery_id.isdigit() or len(delivery_id) > 18:
        raise UnknownDelivery("There is no such delivery.")
    changed = connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.id == int(delivery_id), deliveries.c.state.in_((State.FAILED, State.UNKNOWN)))
        .values(state=State.RETRY, next_attempt_at=sa.func.now(), attempts=0, reason="", finished_at=None)
        .returning(deliveries.c.event_id, deliveries.c.kind)
    ).one_or_none()
    if changed is None:
        raise UnknownDelivery("There is no failed or unknown delivery with this id.")
    leases.resume_campaign(connection, changed.event_id, changed.kind)
