"""scripts/bench fanout: reminders to all holders of an event, from trigger to last recorded answer."""

import argparse
import itertools
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from services.notifications.store import CHANNEL
from shared.testing import wait_until
from tests.bench import cpu, yardsticks
from tests.bench.parts import LONGEST_SECONDS, Parts, Sink, servers, sink, workers

_LOAD = (
    "INSERT INTO events (id, sequence, name, location, timezone, starts_at, status)"
    " SELECT 'e' || n, 1, :name, :place, 'Asia/Jakarta', now() + interval '3 hours', 'scheduled'"
    " FROM generate_series(1, :events) AS n",
    "INSERT INTO event_contents (event_id, version, name, location, timezone, starts_at)"
    " SELECT id, 1, name, location, timezone, starts_at FROM events",
    "INSERT INTO holders (id, sequence, name, email, locale) SELECT 'h' || n, 1, 'Sari Dewi ' || n,"
    " 'h' || n || '@dicoevent.example', CASE n % 2 WHEN 0 THEN 'id' ELSE 'en' END"
    " FROM generate_series(1, :count) AS n",
    "INSERT INTO tickets (id, event_id, holder_id, code, active, sequence, ordered_at)"
    " SELECT 't' || n, 'e' || 1 + n % :events, 'h' || n, 'CODE' || n, true, 1, now() - interval '1 day'"
    " FROM generate_series(1, :count) AS n",
)
_TRIGGER = (
    "UPDATE reminder_schedules SET due_at = clock_timestamp() WHERE state = 'pending'",
    f"NOTIFY {CHANNEL}",
)
_OPEN = (
    "SELECT (SELECT count(*) FROM reminder_schedules WHERE state = 'pending')"
    " + (SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE state IN ('pending', 'retry') LIMIT 1) AS a)"
    " + (SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE state IN ('claimed', 'sending') LIMIT 1) AS b)"
)
_DUE = "(SELECT min(due_at) FROM reminder_schedules)"
_SECONDS = f"SELECT extract(epoch FROM max(finished_at) - {_DUE}) FROM deliveries"
_LATE = (
    "SELECT percentile_cont(0.99) WITHIN GROUP (ORDER BY"
    f" extract(epoch FROM finished_at - {_DUE})) FROM deliveries"
)
_WITHIN = f"SELECT count(*) FROM deliveries WHERE finished_at <= {_DUE} + make_interval(secs => :seconds)"

HEAD = (
    "workers  connections  seconds  mails/s  of plain  of smtp-source  p99 late s  peak MB  accepted"
    "    CPU us a mail: worker  PostgreSQL  server"
)
SLICES = 10


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is measured; `plain` and `source` are the yardsticks' rates, 0 where there is none."""

    recipients: int
    events: int
    detailed: bool
    plain: float
    source: float


def main(arguments: Sequence[str]) -> int:
    """Prints a table; 1 when a mail is missing."""
    asked = _arguments(arguments)
    with servers() as parts, sink(parts, asked.sink == "own", asked.slow_ms) as taker:
        sys.stdout.write(
            f"{asked.recipients} recipients of {asked.events} event(s), {taker.name},"
            f" PostgreSQL with fsync on, {os.cpu_count()} CPUs,"
            f" load {os.getloadavg()[0]:.1f}, a mail is {len(yardsticks.reminder())} octets\n\n"
        )
        source = yardsticks.smtp_source(taker.port) if not asked.slow_ms else 0.0
        plain = yardsticks.plain_way(parts, taker.port, asked.plain) if asked.plain else 0.0
        if source:
            sys.stdout.write(f"smtp-source, {yardsticks.SOURCE_SESSIONS} sessions  {source:8.0f} /s\n")
        if plain:
            sys.stdout.write(f"the plain way              {plain:8.0f} /s\n")
        sys.stdout.write(f"\n{HEAD}\n")
        wanted = Wanted(asked.recipients, asked.events, asked.detailed, plain, source)
        for count, connections in itertools.product(asked.workers, asked.connections):
            if not _measure(parts, taker, wanted, count, connections):
                return 1
    return 0


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench fanout", description=__doc__)
    parser.add_argument("--recipients", type=int, default=20000)
    parser.add_argument("--events", type=int, default=1, help="that all start at once")
    parser.add_argument("--workers", type=int, nargs="+", default=[2])
    parser.add_argument("--connections", type=int, nargs="+", default=[64], help="of each worker")
    parser.add_argument("--sink", choices=("auto", "own"), default="auto")
    parser.add_argument("--slow-ms", type=int, default=0, help="the server takes so long for each message")
    parser.add_argument(
        "--plain", type=int, default=1000, help="recipients of the plain way; 0 leaves it out"
    )
    parser.add_argument(
        "--detailed", action="store_true", help="CPU time of each process, rate of each tenth of the time"
    )
    return parser.parse_args(arguments)


def _measure(parts: Parts, taker: Sink, wanted: Wanted, count: int, connections: int) -> bool:
    _load(parts, wanted)
    with workers(parts, count, taker.port, connections) as processes:
        armed = "SELECT count(*) FROM reminder_schedules"
        wait_until(lambda: parts.scalar(armed) == wanted.events, "a delivery process has armed the events")
        pids = [process.pid for process in processes]
        before = cpu.spent(pids, taker.pid, parts.postmaster())
        parts.run(*_TRIGGER)
        wait_until(lambda: parts.scalar(_OPEN) == 0, "everything is sent", LONGEST_SECONDS, every=0.1)
        used = cpu.spent(pids, taker.pid, parts.postmaster()).since(before)
        peak = cpu.peak_megabytes(pids)
    seconds = float(parts.scalar(_SECONDS))
    accepted = parts.scalar("SELECT count(*) FROM deliveries WHERE state = 'accepted'")
    rate = wanted.recipients / seconds
    ratios = [f"{rate / base:.2f}" if base else "-" for base in (wanted.plain, wanted.source)]
    worker, postgres, server = (
        used.total(part) / wanted.recipients * 1e6 for part in ("worker", "postgres", "server")
    )
    sys.stdout.write(
        f"{count:7}  {connections:11}  {seconds:7.2f}  {rate:7.0f}  {ratios[0]:>8}  {ratios[1]:>14}"
        f"  {parts.scalar(_LATE):10.2f}  {peak:7.0f}  {accepted:8.0f}"
        f"  {worker:24.0f}  {postgres:10.0f}  {server:6.0f}\n"
    )
    if wanted.detailed:
        _tell_details(parts, used, wanted, seconds)
    sys.stdout.flush()
    return accepted == wanted.recipients


def _load(parts: Parts, wanted: Wanted) -> None:
    parts.run("TRUNCATE events, event_contents, holders, tickets, deliveries, reminder_schedules CASCADE")
    parts.run(
        *_LOAD, name=yardsticks.NAME, place=yardsticks.PLACE, count=wanted.recipients, events=wanted.events
    )
    # As a system that has been up for a while: nothing of the loading is left to do.
    parts.run_alone("VACUUM ANALYZE events, event_contents, holders, tickets", "CHECKPOINT")


def _tell_details(parts: Parts, used: cpu.Spent, wanted: Wanted, seconds: float) -> None:
    sys.stdout.write("\n  CPU us a mail, of it in the kernel\n")
    for name, spent in cpu.lines(used, wanted.recipients).items():
        sys.stdout.write(f"    {name:40}{spent}\n")
    bounds = [seconds * n / SLICES for n in range(SLICES + 1)]
    sent = [parts.scalar(_WITHIN, seconds=bound) for bound in bounds]
    rates = [(b - a) * SLICES / seconds for a, b in itertools.pairwise(sent)]
    sys.stdout.write(f"  mails/s in each tenth of the time: {' '.join(f'{r:.0f}' for r in rates)}\n\n")
