"""scripts/chaos kill: kill -9 of the delivery process at each step of a reminder's way, many times, seeded.

The mail server kills the worker at a step of SMTP; a trigger that waits for a lock holds it at a state change
in the database until it is killed. Then a fresh worker does the rest, and what every holder got is counted.
"""

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from infra.local.testing import embedded_postgres
from shared.database import make_engine, migrate
from shared.logging import configure
from shared.testing import Fault, FaultyMailServer, wait_until
from tests.chaos.nursery import ROOT, Nursery, make_loop

LEASE = 10.0
SMTP_POINTS = ("connect", "helo", "mail", "rcpt", "data", "body", "dot", "noted", "answered")
# The worker is killed in the statement that makes rows of this state, or while it is committed.
DATABASE_POINTS = ("pending", "claimed", "sending", "accepted")
POINTS = (*SMTP_POINTS, *DATABASE_POINTS)
_LOCK = 20061

_TRAP = """
CREATE FUNCTION hold_worker() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('application_name') = 'chaos-worker' THEN
        PERFORM pg_advisory_xact_lock_shared(20061);
    END IF;
    RETURN NEW;
END $$
"""


@dataclass
class Tally:
    """What all rounds came to."""

    rounds: Counter[str] = field(default_factory=Counter)
    mails: int = 0
    lost: int = 0
    doubled: Counter[str] = field(default_factory=Counter)
    unexcused: list[str] = field(default_factory=list)


@dataclass
class Trial:
    """One database, one mail server, one nursery of workers."""

    url: str
    engine: sa.Engine
    server: FaultyMailServer
    nursery: Nursery
    tally: Tally = field(default_factory=Tally)
    offset: float = 0.0
    number: int = 0

    def round(self, point: str, chance: random.Random) -> None:
        """One campaign, one kill at `point`, one fresh worker; the tally is kept."""
        self.number += 1
        holders, connections = chance.randint(2, 12), chance.randint(1, 5)
        event = f"e{self.number}"
        self._campaign(event, holders)
        before = len(self.server.noted)
        if point in SMTP_POINTS:
            sending = self._kill_at_step(point, chance.randint(1, holders), connections)
        else:
            sending = self._kill_at_state(point, chance.random() < 0.5, connections)
        self.offset += LEASE + 1
        make_loop(self.engine, self.server.port, connections, self.offset, LEASE).work_once()
        self._count(point, event, holders, connections, before, sending)

    def _campaign(self, event: str, holders: int) -> None:
        with self.engine.begin() as connection:
            for statement in (
                "INSERT INTO events (id, sequence, name, location, timezone, starts_at, status)"
                " VALUES (:e, 1, 'Jazz', 'Jakarta', 'UTC', now() + interval '300 days', 'scheduled')",
                "INSERT INTO event_contents (event_id, version, name, location, timezone, starts_at)"
                " SELECT id, 1, name, location, timezone, starts_at FROM events WHERE id = :e",
                "INSERT INTO holders (id, sequence, name, email, locale) SELECT :e || 'h' || n, 1, 'Sari',"
                " :e || 'h' || n || '@dicoevent.example', 'en' FROM generate_series(1, :n) AS n",
                "INSERT INTO tickets (id, event_id, holder_id, code, active, sequence, ordered_at)"
                " SELECT :e || 't' || n, :e, :e || 'h' || n, 'C', true, 1, now() - interval '1 day'"
                " FROM generate_series(1, :n) AS n",
                "INSERT INTO reminder_schedules (event_id, kind, lead_minutes, starts_at, due_at, state)"
                " SELECT id, 'reminder', 120, starts_at, now(), 'pending' FROM events WHERE id = :e",
            ):
                connection.execute(sa.text(statement), {"e": event, "n": holders})

    def _start(self, connections: int) -> int:
        return self.nursery.start(
            skew=0,
            url=self.url,
            port=self.server.port,
            connections=connections,
            offset=self.offset,
            lease=LEASE,
        )

    def _kill_at_step(self, point: str, which: int, connections: int) -> set[int]:
        killed: list[set[int]] = []
        worker: list[int] = []
        seen = Counter[str]()

        def choose(at: str, recipient: str) -> Fault | None:
            seen[at] += 1
            # Connections are few: the first of them must do.
            if at == point and not killed and seen[at] >= (1 if at in ("connect", "helo") else which):
                wait_until(lambda: worker, "the worker's process id is known")
                _kill(worker[0])
                killed.append(self._sending())
            return None

        self.server.choose = choose
        worker.append(self._start(connections))
        wait_until(lambda: killed, f"the worker was killed at {point}")
        self.server.choose = lambda at, recipient: None
        wait_until(lambda: not self.server.open, "the server has seen the end of the connections")
        return killed[0]

    def _kill_at_state(self, state: str, roll_back: bool, connections: int) -> set[int]:
        with self._trap(state, at_commit=not roll_back):
            worker = self._start(connections)
            waiting = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            wait_until(lambda: self._scalar(waiting), f"the worker makes rows {state}")
            _kill(worker)
            sending = self._sending()
            if roll_back:
                self._scalar(f"SELECT count(pg_terminate_backend(pid)) FROM ({waiting}) AS held")
        gone = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'chaos-worker'"
        wait_until(lambda: self._scalar(gone) == 0, "the dead worker's sessions are over")
        wait_until(lambda: not self.server.open, "the server has seen the end of the connections")
        return sending | self._sending()

    @contextlib.contextmanager
    def _trap(self, state: str, at_commit: bool) -> Iterator[None]:
        """Holds the worker in the statement that makes rows of a state, or in its commit."""
        if at_commit:
            trigger = "CONSTRAINT TRIGGER hold AFTER INSERT OR UPDATE ON deliveries INITIALLY DEFERRED"
        else:
            trigger = "TRIGGER hold BEFORE INSERT OR UPDATE ON deliveries"
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text(f"SELECT pg_advisory_lock({_LOCK})"))
            connection.execute(
                sa.text(
                    f"CREATE {trigger} FOR EACH ROW WHEN (NEW.state = '{state}')"
                    " EXECUTE FUNCTION hold_worker()"
                )
            )
            try:
                yield
            finally:
                connection.execute(sa.text(f"SELECT pg_advisory_unlock({_LOCK})"))
                connection.execute(sa.text("DROP TRIGGER hold ON deliveries"))

    def _sending(self) -> set[int]:
        with self.engine.connect() as connection:
            rows = connection.execute(sa.text("SELECT holder_id FROM deliveries WHERE state = 'sending'"))
            return set(rows.scalars())

    def _scalar(self, statement: str) -> int:
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            return connection.scalar(sa.text(statement)) or 0

    def _count(
        self, point: str, event: str, holders: int, connections: int, before: int, sending: set[int]
    ) -> None:
        copies = Counter(n.recipient.partition("@")[0] for n in self.server.noted[before:])
        wanted = {f"{event}h{n}" for n in range(1, holders + 1)}
        tally = self.tally
        tally.rounds[point] += 1
        tally.mails += sum(copies.values())
        tally.lost += len(wanted - copies.keys())
        doubled = {holder for holder, n in copies.items() if n > 1}
        tally.doubled[point] += len(doubled)
        if doubled - sending or len(doubled) > connections or max(copies.values(), default=0) > 2:
            tally.unexcused.append(f"round {self.number} at {point}: {sorted(doubled)}")


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def trial(url: str) -> Iterator[Trial]:
    """A trial on a migrated database."""
    engine = make_engine(url, "chaos")
    with engine.begin() as connection:
        connection.execute(sa.text(_TRAP))
    with FaultyMailServer() as server, Nursery() as nursery:
        yield Trial(url, engine, server, nursery)
    engine.dispose()


def run(it: Trial, rounds: int, seed: int, told: Callable[[Tally], None] = lambda _: None) -> Tally:
    """So many rounds; each point in its turn, everything else by the seed."""
    chance = random.Random(seed)
    order: list[str] = []
    for _ in range(rounds):
        order = order or chance.sample(POINTS, len(POINTS))
        it.round(order.pop(), chance)
        told(it.tally)
    return it.tally


def main(arguments: Sequence[str]) -> int:
    """Prints what became of every mail; 1 if one was lost or came twice without an excuse."""
    parser = argparse.ArgumentParser(prog="scripts/chaos kill", description=__doc__)
    parser.add_argument("--rounds", type=int, default=260)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args(arguments)
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="dicoevent-chaos-"))
        url = stack.enter_context(embedded_postgres(Path(home) / "pg", durable=True))
        migrate(url, ROOT / "services" / "notifications" / "migrations", "notifications")
        configure("chaos", "ERROR")
        tally = run(stack.enter_context(trial(url)), wanted.rounds, wanted.seed)
    write = sys.stdout.write
    write(f"seed {wanted.seed}: {sum(tally.rounds.values())} kills, {tally.mails} mails\n\n")
    write("killed at   rounds  came twice\n")
    for point in POINTS:
        write(f"{point:10}  {tally.rounds[point]:6}  {tally.doubled[point]:10}\n")
    write(f"\nlost {tally.lost}; twice without an excuse {len(tally.unexcused)}\n")
    write("".join(f"  {line}\n" for line in tally.unexcused))
    return 1 if tally.lost or tally.unexcused else 0
