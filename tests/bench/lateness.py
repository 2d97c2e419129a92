"""scripts/bench lateness: many events due at the same second; how late each reminder is accepted."""

import argparse
import os
import sys
from collections.abc import Sequence

from shared.testing import wait_until
from tests.bench.parts import Parts, process, servers, sink, workers

HEAD = "round  reminders  first s  p50 s   p99 s   max s  accepted"
LONGEST_SECONDS = 300.0
# Enough to arm 100 events and start the processes on a busy machine.
AHEAD_SECONDS = 10
_LOAD = (
    "INSERT INTO events (id, sequence, name, location, timezone, starts_at, status)"
    " SELECT 'e' || :round || '-' || n, 1, 'Malam Jazz ' || n, 'Taman Fatahillah, Jakarta', 'Asia/Jakarta',"
    "  date_trunc('second', clock_timestamp()) + interval '2 hours' + make_interval(secs => :ahead),"
    "  'scheduled' FROM generate_series(1, :events) AS n",
    "INSERT INTO event_contents (event_id, version, name, location, timezone, starts_at)"
    " SELECT id, 1, name, location, timezone, starts_at FROM events WHERE id LIKE 'e' || :round || '-%'",
    "INSERT INTO holders (id, sequence, name, email, locale) SELECT 'h' || n, 1, 'Sari Dewi ' || n,"
    " 'h' || n || '@dicoevent.example', CASE n % 2 WHEN 0 THEN 'id' ELSE 'en' END"
    " FROM generate_series(1, :events * :people) AS n ON CONFLICT DO NOTHING",
    "INSERT INTO tickets (id, event_id, holder_id, code, active, sequence, ordered_at)"
    " SELECT 't' || :round || '-' || n, 'e' || :round || '-' || n % :events + 1, 'h' || n, 'CODE' || n,"
    "  true, 1, now() - interval '1 day' FROM generate_series(1, :events * :people) AS n",
    "INSERT INTO reminder_schedules (event_id, kind, lead_minutes, starts_at, due_at, state, armed_at)"
    " SELECT id, 'reminder', 120, starts_at, starts_at - interval '2 hours', 'pending', now()"
    " FROM events WHERE id LIKE 'e' || :round || '-%'",
)
_LATE = (
    "SELECT count(*) FILTER (WHERE state = 'accepted') AS accepted,"
    " percentile_cont(ARRAY[0.5, 0.99, 1]) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - due_at))"
    " AS late, extract(epoch FROM min(finished_at - due_at)) AS first FROM deliveries"
    " WHERE event_id LIKE 'e' || :round || '-%'"
)


def main(arguments: Sequence[str]) -> int:
    """Prints a table; 1 when a reminder is missing."""
    parser = argparse.ArgumentParser(prog="scripts/bench lateness", description=__doc__)
    parser.add_argument("--events", type=int, default=100)
    parser.add_argument("--people", type=int, default=50, help="of each event")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--connections", type=int, default=32, help="of each worker")
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args(arguments)
    with servers() as parts, sink(parts, own=False) as server:
        sys.stdout.write(
            f"{wanted.events} events of {wanted.people} people due at the same second; one beat,"
            f" {wanted.workers} worker(s) of {wanted.connections} connections, {server.name},"
            f" PostgreSQL with fsync on, {os.cpu_count()} CPUs,"
            f" load before {os.getloadavg()[0]:.1f}\n\n{HEAD}\n"
        )
        beat = [sys.executable, "-m", "services.notifications", "beat"]
        with (
            workers(parts, wanted.workers, server.port, wanted.connections),
            process(beat, parts.environment(), parts.home / "beat.log"),
        ):
            rounds = range(1, wanted.rounds + 1)
            complete = [_measure(parts, n, wanted.events, wanted.people) for n in rounds]
    return 0 if all(complete) else 1


def _measure(parts: Parts, number: int, events: int, people: int) -> bool:
    values = {"round": str(number), "ahead": AHEAD_SECONDS, "events": events, "people": people}
    parts.run(*_LOAD, **values)
    count = events * people
    done = "SELECT count(*) FROM deliveries WHERE event_id LIKE 'e' || :round || '-%' AND state = 'accepted'"
    wait_until(
        lambda: parts.scalar(done, round=str(number)) == count, "every reminder is accepted", LONGEST_SECONDS
    )
    row = parts.row(_LATE, round=str(number))
    sys.stdout.write(
        f"{number:5}  {count:9}  {row.first:7.2f}  {row.late[0]:5.2f}  {row.late[1]:6.2f}"
        f"  {row.late[2]:6.2f}  {row.accepted:8}\n"
    )
    sys.stdout.flush()
    return bool(row.accepted == count)
