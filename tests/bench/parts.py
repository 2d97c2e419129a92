"""What measurements of the sending loop run on: durable servers, a mail sink, delivery processes."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import sqlalchemy as sa

from infra.local import ports
from infra.local.testing import embedded_postgres, embedded_redis
from shared.database import make_engine, migrate
from shared.testing import wait_until

ROOT = Path(__file__).parents[2]
LONGEST_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Parts:
    """The servers of one measurement."""

    home: Path
    database_url: str
    redis_url: str
    engine: sa.Engine

    def environment(self, **values: str) -> dict[str, str]:
        """What a process of notifications needs."""
        return {
            "PATH": os.defpath,
            "NOTIFICATIONS_DATABASE_URL": self.database_url,
            "CELERY_BROKER_URL": self.redis_url,
            "SERVICE_TOKEN": "bench",
            "LINK_SECRET": "bench-bench-bench-bench-bench-bench",
            "LOG_LEVEL": "warning",
            "ACCOUNTS_URL": "http://127.0.0.1:9",
            "EVENTS_URL": "http://127.0.0.1:9",
            "TICKETS_URL": "http://127.0.0.1:9",
            **values,
        }

    def scalar(self, statement: str, **values: object) -> float:
        """One number from the database."""
        with self.engine.connect() as connection:
            return connection.scalar(sa.text(statement), values) or 0

    def row(self, statement: str, **values: object) -> sa.Row:
        """One row from the database."""
        with self.engine.connect() as connection:
            return connection.execute(sa.text(statement), values).one()

    def run(self, *statements: str, **values: object) -> None:
        """Statements in one transaction, each with those of the values that it names."""
        with self.engine.begin() as connection:
            for statement in map(sa.text, statements):
                named = statement.compile().params
                connection.execute(statement, {k: v for k, v in values.items() if k in named})

    def run_alone(self, *statements: str) -> None:
        """Statements that allow no transaction around them."""
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for statement in statements:
                connection.execute(sa.text(statement))

    def postmaster(self) -> int:
        """The process whose children are PostgreSQL."""
        return psutil.Process(int(self.scalar("SELECT pg_backend_pid()"))).ppid()


@dataclass(frozen=True, slots=True)
class Sink:
    """A server that takes mail and keeps none."""

    port: int
    name: str
    pid: int


@contextmanager
def servers() -> Iterator[Parts]:
    """A migrated database and a Redis of one's own."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dicoevent-bench-")))
        url = stack.enter_context(embedded_postgres(home / "pg", durable=True))
        redis_url = stack.enter_context(embedded_redis(home / "redis"))
        migrate(url, ROOT / "services" / "notifications" / "migrations", "notifications")
        engine = make_engine(url + "?options=-c%20statement_timeout%3D0", "bench")
        stack.callback(engine.dispose)
        yield Parts(home, url, redis_url, engine)


@contextmanager
def process(command: Sequence[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen]:
    """A process that ends with the block."""
    with log.open("wb") as out:
        started = subprocess.Popen(list(command), cwd=ROOT, env=environment, stdout=out, stderr=out)
    try:
        yield started
    finally:
        started.terminate()
        try:
            started.wait(15)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait(5)


@contextmanager
def sink(parts: Parts, own: bool, slow_ms: int = 0) -> Iterator[Sink]:
    """Starts smtp-sink, or the suite's own where that is missing, or a slow server is wanted."""
    port = ports.choose(0, set())
    found = shutil.which("smtp-sink", path="/usr/sbin:/usr/bin")
    if found and not own and not slow_ms:
        command, name = [found, "-u", "nobody", f"127.0.0.1:{port}", "1000"], "smtp-sink"
        if os.geteuid() != 0:
            del command[1:3]
    else:
        command = [sys.executable, "-m", "tests.bench.counting_sink", str(port), str(slow_ms)]
        name = f"own sink, {slow_ms} ms a message" if slow_ms else "own sink"
    with process(command, dict(os.environ), parts.home / "sink.log") as started:
        wait_until(lambda: ports.answers(port), "the sink listens")
        yield Sink(port, name, started.pid)


@contextmanager
def workers(parts: Parts, count: int, port: int, connections: int) -> Iterator[list[subprocess.Popen]]:
    """Delivery processes, ready."""
    with ExitStack() as stack:
        started = []
        for n in range(count):
            heartbeat = parts.home / f"delivery-{n}.heartbeat"
            heartbeat.unlink(missing_ok=True)
            environment = parts.environment(
                MAIL_HOST="127.0.0.1",
                MAIL_PORT=str(port),
                MAIL_MAX_CONNECTIONS=str(connections),
                HEARTBEAT_FILE=str(heartbeat),
            )
            command = [sys.executable, "-m", "services.notifications", "delivery"]
            log = parts.home / f"delivery-{n}.log"
            started.append(stack.enter_context(process(command, environment, log)))
        for n in range(count):
            wait_until((parts.home / f"delivery-{n}.heartbeat").exists, "the delivery process is ready")
        yield started
