"""scripts/bench fanout: one event's reminders to all holders, from trigger to last recorded answer."""

import argparse
import itertools
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence

from redis import Redis

from services.notifications.store import CHANNEL
from shared.testing import wait_until
from tests.bench.parts import LONGEST_SECONDS, Parts, megabytes, process, servers, sink, workers

NAME = "Malam Jazz di Kota Tua"
_LOAD = (
    "INSERT INTO events (id, sequence, name, location, timezone, starts_at, status)"
    " VALUES ('e', 1, :name, 'Taman Fatahillah, Jakarta', 'Asia/Jakarta',"
    "  now() + interval '3 hours', 'scheduled')",
    "INSERT INTO event_contents (event_id, version, name, location, timezone, starts_at)"
    " SELECT id, 1, name, location, timezone, starts_at FROM events",
    "INSERT INTO holders (id, sequence, name, email, locale) SELECT 'h' || n, 1, 'Sari Dewi ' || n,"
    " 'h' || n || '@dicoevent.example', CASE n % 2 WHEN 0 THEN 'id' ELSE 'en' END"
    " FROM generate_series(1, :count) AS n",
    "INSERT INTO tickets (id, event_id, holder_id, code, active, sequence, ordered_at)"
    " SELECT 't' || n, 'e', 'h' || n, 'CODE' || n, true, 1, now() - interval '1 day'"
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
_SECONDS = (
    "SELECT extract(epoch FROM (SELECT max(finished_at) FROM deliveries)"
    " - (SELECT min(due_at) FROM reminder_schedules))"
)


HEAD = "workers  connections  seconds   mails/s  of plain  of smtp-source  largest MB  accepted"
SOURCE_SESSIONS = 32
# smtp-source sends as much as we do: the reminder of this event with its text, HTML and .ics.
MAIL_OCTETS = 5400


def main(arguments: Sequence[str]) -> int:
    """Prints a table; 1 when a mail is missing."""
    parser = argparse.ArgumentParser(prog="scripts/bench fanout", description=__doc__)
    parser.add_argument("--recipients", type=int, default=20000)
    parser.add_argument("--workers", type=int, nargs="+", default=[2])
    parser.add_argument("--connections", type=int, nargs="+", default=[64], help="of each worker")
    parser.add_argument("--sink", choices=("auto", "own"), default="auto")
    parser.add_argument("--slow-ms", type=int, default=0, help="the server takes so long for each message")
    parser.add_argument(
        "--plain", type=int, default=1000, help="recipients of the plain way; 0 leaves it out"
    )
    wanted = parser.parse_args(arguments)
    with servers() as parts, sink(parts, wanted.sink == "own", wanted.slow_ms) as (port, name):
        sys.stdout.write(
            f"{wanted.recipients} recipients, {name}, PostgreSQL with fsync on, {os.cpu_count()} CPUs\n\n"
        )
        source = _smtp_source(port) if not wanted.slow_ms else 0.0
        plain = _plain(parts, port, wanted.plain) if wanted.plain else 0.0
        if source:
            sys.stdout.write(f"smtp-source, {SOURCE_SESSIONS} sessions  {source:8.0f} /s\n")
        if plain:
            sys.stdout.write(f"the plain way              {plain:8.0f} /s\n")
        sys.stdout.write(
            "\nworkers  connections  seconds   mails/s  of plain  of smtp-source  largest MB  accepted\n"
        )
        for count, connections in itertools.product(wanted.workers, wanted.connections):
            if not _measure(parts, port, wanted.recipients, count, connections, plain, source):
                return 1
    return 0


def _measure(
    parts: Parts, port: int, recipients: int, count: int, connections: int, plain: float, source: float
) -> bool:
    parts.run("TRUNCATE events, event_contents, holders, tickets, deliveries, reminder_schedules CASCADE")
    for statement in _LOAD:
        names = set(re.findall(r":(name|count)\b", statement))
        parts.run(statement, **{k: v for k, v in (("name", NAME), ("count", recipients)) if k in names})
    parts.run("ANALYZE tickets", "ANALYZE holders")
    with workers(parts, count, port, connections) as processes:
        armed = "SELECT count(*) FROM reminder_schedules"
        wait_until(lambda: parts.scalar(armed), "a delivery process has armed the event")
        parts.run(*_TRIGGER)
        size = 0.0

        def done() -> bool:
            nonlocal size
            size = max(size, megabytes(processes))
            return parts.scalar(_OPEN) == 0

        wait_until(done, "everything is sent", LONGEST_SECONDS)
        seconds = float(parts.scalar(_SECONDS))
        accepted = parts.scalar("SELECT count(*) FROM deliveries WHERE state = 'accepted'")
    rate = recipients / seconds
    ratios = [f"{rate / base:.2f}" if base else "-" for base in (plain, source)]
    sys.stdout.write(
        f"{count:7}  {connections:11}  {seconds:7.2f}  {rate:8.0f}  {ratios[0]:>8}  {ratios[1]:>14}"
        f"  {size:10.0f}  {accepted:8.0f}\n"
    )
    sys.stdout.flush()
    return accepted == recipients


def _smtp_source(port: int) -> float:
    found = shutil.which("smtp-source", path="/usr/sbin:/usr/bin")
    if not found:
        return 0.0
    mails = 20000
    begun = time.monotonic()
    subprocess.run(
        [
            found,
            "-d",
            "-s",
            str(SOURCE_SESSIONS),
            "-m",
            str(mails),
            "-l",
            str(MAIL_OCTETS),
            f"127.0.0.1:{port}",
        ],
        check=True,
        timeout=300,
    )
    return mails / (time.monotonic() - begun)


def _plain(parts: Parts, port: int, recipients: int) -> float:
    environment = parts.environment(PYTHONPATH=".")
    command = [sys.executable, "-m", "celery", "-A", "tests.bench.plain", "worker", "--pool", "solo"]
    client = Redis.from_url(parts.redis_url)
    client.delete("plain.seconds")
    text = "Hello Sari Dewi,\n\nMalam Jazz di Kota Tua starts in two hours.\n" * 8
    with process(command, environment, parts.home / "plain.log"):
        os.environ["CELERY_BROKER_URL"] = parts.redis_url
        from tests.bench.plain import app

        app.conf.broker_url = parts.redis_url
        app.send_task("plain.remind", (port, recipients, text, f"<p>{text}</p>"))
        wait_until(lambda: client.get("plain.seconds"), "the plain way is done", 600)
    return recipients / float(client.get("plain.seconds") or 0)
