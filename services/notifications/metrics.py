"""Reminders as numbers: what waits, what became of it, how late it was."""

from collections import Counter as Tally
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

import sqlalchemy as sa
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import Metric

from services.notifications import store
from services.notifications.model import Answer, Claim, State
from shared.metrics.scrape import Read, gauge, gauges

LATENESS_BUCKETS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 900, 3600)
_OPEN = (State.PENDING, State.RETRY, State.CLAIMED, State.SENDING)
# Each of them is the first entry of a partial index: schedules_due, deliveries_claimable, deliveries_leased.
_OLDEST_DUE = (
    "SELECT extract(epoch FROM :now - least("
    " (SELECT min(due_at) FROM reminder_schedules WHERE state = 'pending'),"
    " (SELECT min(next_attempt_at) FROM deliveries WHERE state IN ('pending', 'retry')),"
    " (SELECT min(lease_until) FROM deliveries WHERE state IN ('claimed', 'sending'))))"
)
_COUNT_LIMIT = 100_000

results = Counter(
    "dicoevent_delivery_results_total", "Deliveries by the state their last attempt left them in.", ["state"]
)
answers = Counter(
    "dicoevent_smtp_answers_total",
    "What the mail server answered, by class; broken: the connection broke after DATA.",
    ["code_class"],
)
lateness = Histogram(
    "dicoevent_delivery_lateness_seconds",
    "From when a reminder was due, or could first be sent, to the mail server's acceptance.",
    buckets=LATENESS_BUCKETS,
)
mail_server_up = Gauge(
    "dicoevent_mail_server_up", "0 while the breaker of the mail relay is open, 1 when it answers."
)
# Before the first attempt nobody knows: no number, so that no alert takes it for an absence.
mail_server_up.set(float("nan"))
# A labelled counter that is not there before its first count shows no increase at that count.
for _state in State:
    results.labels(_state)
ticks = Counter("dicoevent_beat_ticks_total", "Ticks of beat.")


def code_class(answer: Answer) -> str:
    """`2xx`, `4xx`, `5xx`, `broken`, or `other`."""
    if answer.unknown:
        return "broken"
    family = answer.code // 100
    return f"{family}xx" if family in (2, 3, 4, 5) else "other"


def observe(outcomes: Sequence[tuple[Claim, Answer, State]], kept: Mapping[int, float | None]) -> None:
    """Counts a round of answers once it is committed. `kept` maps the ids that were recorded to how late they
    were, in seconds; a result that was fenced counts for nothing but its answer.
    """
    for family, count in Tally(code_class(answer) for _, answer, _ in outcomes).items():
        answers.labels(family).inc(count)
    for state, count in Tally(str(s) if c.id in kept else "fenced" for c, _, s in outcomes).items():
        results.labels(state).inc(count)
    for claim, _, state in outcomes:
        late = kept.get(claim.id)
        if state == State.ACCEPTED and late is not None:
            lateness.observe(max(0.0, late))


def observe_accepted(count: int, kept: Mapping[int, float | None]) -> None:
    """observe() of a round of `count` mails that were all accepted."""
    answers.labels("2xx").inc(count)
    results.labels(State.ACCEPTED).inc(len(kept))
    if len(kept) < count:
        results.labels("fenced").inc(count - len(kept))
    for late in kept.values():
        if late is not None:
            lateness.observe(max(0.0, late))


def reminder_metrics(engine: sa.Engine, offset: timedelta) -> Read:
    """Open deliveries by state, and how long what is due waits. Costs look-ups in partial indexes."""

    def read() -> Iterable[Metric]:
        with engine.connect() as connection:
            connection.execute(sa.text("SET LOCAL statement_timeout = 2000"))
            now = store.database_now(connection, offset)
            waits = connection.scalar(sa.text(_OLDEST_DUE), {"now": now})
            counts = [(str(state), _count(connection, state)) for state in _OPEN]
        yield gauges(
            "dicoevent_deliveries_open", "Deliveries that are not finished, by state.", "state", counts
        )
        yield gauge(
            "dicoevent_oldest_due_age_seconds",
            "How long the oldest schedule, attempt or expired lease that is due waits.",
            max(0.0, float(waits or 0)),
        )

    return read


def _count(connection: sa.Connection, state: State) -> float:
    # psycopg2 writes values into the statement, so the planner sees which partial index holds the state.
    few = sa.text("SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE state = :state LIMIT :limit) AS few")
    return float(connection.scalar(few, {"state": str(state), "limit": _COUNT_LIMIT}) or 0)
