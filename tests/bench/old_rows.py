"""scripts/bench old-rows: each step of the engine with an empty history and with a long one."""

import argparse
import logging
import os
import re
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from services.notifications import handlers, ledger, metrics, retention
from services.notifications.api.health import campaigns_check
from services.notifications.handlers import MessageHandlers
from services.notifications.intake import Intake
from services.notifications.model import Answer
from services.notifications.planning import plan_due
from services.notifications.rounds import Rounds
from shared.http import database_check
from shared.inbox import Receiver
from shared.inbox.metrics import dead_letter_metrics
from shared.retention import Pruner, Retention
from shared.testing.plans import recorded
from tests.bench.intake import make_orders, reminder_settings
from tests.bench.parts import Parts, servers

PEOPLE = 100
OFFSET = timedelta(0)
# Old deliveries are of events with a hundred holders each, over the last 80 days.
_HISTORY = (
    "INSERT INTO events (id, sequence, name, location, timezone, starts_at, status)"
    " SELECT 'old' || n, 1, 'Malam Jazz ' || n, 'Jakarta', 'Asia/Jakarta',"
    "  now() - interval '1 day' - n * interval '80 days' / :events, 'completed'"
    " FROM generate_series(1, :events) AS n",
    "INSERT INTO event_contents (event_id, version, name, location, timezone, starts_at)"
    " SELECT id, 1, name, location, timezone, starts_at FROM events WHERE id LIKE 'old%'",
    "INSERT INTO reminder_schedules (event_id, kind, lead_minutes, starts_at, due_at, state)"
    " SELECT id, 'reminder', 120, starts_at, starts_at - interval '2 hours', 'done' FROM events"
    " WHERE id LIKE 'old%'",
    "INSERT INTO runs (id, event_id, asked_at, started_at) SELECT 'run' || id, event_id, due_at, due_at"
    " FROM reminder_schedules WHERE event_id LIKE 'old%'",
    "INSERT INTO run_schedules SELECT 'run' || id, id FROM reminder_schedules WHERE event_id LIKE 'old%'",
    "INSERT INTO inbox (source, id, received_at) SELECT '/tickets', 'm' || n,"
    "  now() - n * interval '29 days' / :rows FROM generate_series(1, :rows / 10) AS n",
)
_DELIVERIES = (
    "INSERT INTO deliveries (event_id, kind, lead_minutes, starts_at, holder_id, useless_after, due_at,"
    "  created_at, state, attempts, next_attempt_at, fence, content_version, address, name, locale,"
    "  answer_code, answer_text, finished_at, frozen)"
    " SELECT s.event_id, 'reminder', 120, s.starts_at, 'h' || n, s.starts_at, s.due_at, s.due_at,"
    "  (ARRAY['accepted', 'accepted', 'accepted', 'failed', 'suppressed', 'expired'])[n % 6 + 1], 1,"
    "  s.due_at, 1, 1, 'h' || n || '@dicoevent.example', 'Sari Dewi ' || n, 'id', 250, '2.0.0 Ok',"
    "  s.due_at, true"
    " FROM reminder_schedules AS s, generate_series(1, :people) AS n"
    " WHERE s.event_id LIKE 'old%' AND s.id % :parts = :part"
)
_LIVE = (
    "INSERT INTO events (id, sequence, name, location, timezone, starts_at, status) VALUES"
    " ('live', 1, 'Malam Jazz', 'Jakarta', 'Asia/Jakarta', now() + interval '3 hours', 'scheduled')",
    "INSERT INTO event_contents (event_id, version, name, location, timezone, starts_at)"
    " SELECT id, 1, name, location, timezone, starts_at FROM events WHERE id = 'live'",
    "INSERT INTO holders (id, sequence, name, email, locale) SELECT 'h' || n, 1, 'Sari Dewi ' || n,"
    " 'h' || n || '@dicoevent.example', 'id' FROM generate_series(1, :people) AS n",
    "INSERT INTO tickets (id, event_id, holder_id, code, active, sequence)"
    " SELECT 't' || n, 'live', 'h' || n, 'CODE' || n, true, 1 FROM generate_series(1, :people) AS n",
)
_PARTS = 50
HEAD = f"{'':34}{'empty, ms':>12}{'full, ms':>12}"


@dataclass(frozen=True, slots=True)
class Step:
    """Something the engine does; `before` prepares it and is not measured."""

    name: str
    work: Callable[[], object]
    before: Callable[[], object] = lambda: None

    def milliseconds(self, times: int) -> float:
        """The median of so many times."""
        taken = []
        for _ in range(times):
            self.before()
            begun = time.perf_counter()
            self.work()
            taken.append(1000 * (time.perf_counter() - begun))
        return statistics.median(taken)


def main(arguments: Sequence[str]) -> int:
    """Prints a table and the plans; 1 when one of them reads a whole table of history."""
    parser = argparse.ArgumentParser(prog="scripts/bench old-rows", description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000, help="old deliveries")
    parser.add_argument("--times", type=int, default=7, help="each step is measured; the median counts")
    parser.add_argument("--plans", action="store_true", help="print every plan")
    wanted = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with servers() as parts:
        parts.run(*_LIVE, people=PEOPLE)
        steps = _steps(parts)
        empty = [step.milliseconds(wanted.times) for step in steps]
        size = _age(parts, wanted.rows)
        sys.stdout.write(
            f"{wanted.rows} old deliveries ({size:.1f} GB), {wanted.rows // PEOPLE} events, schedules, runs,"
            f" {wanted.rows // 10} inbox rows; {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f};"
            f" median of {wanted.times}\n\n{HEAD}\n"
        )
        with recorded(parts.engine) as statements:
            for step, before in zip(steps, empty, strict=True):
                sys.stdout.write(f"{step.name:34}{before:12.1f}{step.milliseconds(wanted.times):12.1f}\n")
                sys.stdout.flush()
        return _tell_plans(statements.plans(parts.engine), wanted.plans)


def _age(parts: Parts, rows: int) -> float:
    """Makes the history; returns the size of the database in GB."""
    parts.run(*_HISTORY, events=rows // PEOPLE, rows=rows)
    for part in range(_PARTS):
        parts.run(_DELIVERIES, people=PEOPLE, parts=_PARTS, part=part)
    with parts.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM (ANALYZE)")
    return float(parts.scalar("SELECT pg_database_size(current_database())")) / 2**30


def _steps(parts: Parts) -> list[Step]:
    engine, rules = parts.engine, reminder_settings()
    rounds, message_handlers = Rounds(engine, rules), MessageHandlers(rules)
    receiver = Receiver(engine, message_handlers.table(), take_all=Intake(message_handlers).take_all)
    gauges = metrics.reminder_metrics(engine, OFFSET), dead_letter_metrics(engine)
    checks = database_check(engine), campaigns_check(engine, OFFSET)

    def due() -> None:
        parts.run(
            "DELETE FROM deliveries WHERE event_id = 'live'",
            "UPDATE reminder_schedules SET due_at = now(), state = 'pending', cursor = ''"
            " WHERE event_id = 'live' AND kind = 'reminder'",
        )

    def planned() -> None:
        due()
        plan_due(engine, rules)

    def round_of_mails() -> None:
        claims = rounds.claim(PEOPLE, None).claims
        assert len(claims) == PEOPLE, "all that is due"
        rounds.turn([], claims)
        assert len(rounds.turn([(claim, Answer(250, "2.0.0 Ok")) for claim in claims], [])) == 0

    def ask_for_a_run() -> None:
        with engine.begin() as connection:
            handlers.request_run(connection, f"bench-{time.monotonic_ns()}", None, False, rules)

    def read_run() -> None:
        with engine.connect() as connection:
            ledger.get_run(connection, "bench")

    def read_ledger() -> None:
        with engine.connect() as connection:
            ledger.event_summary(connection, "live")
            ledger.deliveries_of(connection, "live", PEOPLE)

    rounds.arm()
    receiver.receive_many(make_orders(100, 100, "known"))
    with engine.begin() as connection:
        handlers.request_run(connection, "bench", "live", True, rules)
    return [
        Step("tick, nothing due", lambda: plan_due(engine, rules)),
        Step(f"tick, {PEOPLE} reminders due", lambda: plan_due(engine, rules), due),
        Step("sweep (recover, expire, plan)", lambda: rounds.plan(lambda: None)),
        Step("claim round, nothing due", lambda: rounds.claim(64, None)),
        Step(f"{PEOPLE} mails: claim, mark, record", round_of_mails, planned),
        Step("run of all that is due", lambda: plan_due(engine, rules), ask_for_a_run),
        Step("arming at start", rounds.arm),
        Step("200 orders of known events", lambda: receiver.receive_many(make_orders(200, 100, "known"))),
        Step("gauges of /metrics", lambda: [list(read()) for read in gauges]),
        Step("/health", lambda: [check() for check in checks]),
        Step("a run, as the API answers it", read_run),
        Step("an event's ledger", read_ledger),
        Step("retention, nothing over", Pruner(engine, retention.rules(Retention())).prune),
    ]


def _tell_plans(plans: Sequence[tuple[str, str]], whole: bool) -> int:
    """Names the tables that some plan reads from end to end."""
    bad = 0
    for statement, plan in plans:
        tables = re.findall(r"Seq Scan on (\w+)", plan)
        history = {"deliveries", "events", "event_contents", "reminder_schedules", "runs", "run_schedules"}
        if history & set(tables):
            bad += 1
        if whole or history & set(tables):
            sys.stdout.write(f"\n{' '.join(statement.split())[:300]}\n{plan}\n")
    sys.stdout.write(f"\n{len(plans)} statements, {bad} of them read a table of history from end to end\n")
    return 1 if bad else 0
