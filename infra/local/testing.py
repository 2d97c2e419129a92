"""One embedded PostgreSQL and one embedded Redis for a test run."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.local import ports, postgres, redis
from infra.local.system import accepts

_PASSWORD = "test"  # noqa: S105 - of a server that lives as long as the test run, on 127.0.0.1


@contextmanager
def embedded_postgres(home: Path, durable: bool = False, port: int = 0) -> Iterator[str]:
    """A server, without durability unless `durable`; yields the URL of its superuser."""
    home.mkdir(parents=True, exist_ok=True)
    for folder in (home, home.parent):
        folder.chmod(0o755)
    installation = postgres.prepare(home, _PASSWORD)
    port = port or ports.choose(0, set())
    fast: tuple[str, ...] = ("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off")
    # What a server without durability logs is read by nobody: keep little of it.
    fast += ("-c", "wal_level=minimal", "-c", "max_wal_senders=0", "-c", "max_wal_size=256MB")
    url = f"postgresql+psycopg2://{postgres.SUPERUSER}:{_PASSWORD}@127.0.0.1:{port}/postgres"
    command = installation.command(port, *(() if durable else fast))
    with _running(command, home / "log", lambda: accepts(url), signal.SIGINT, installation.run_as):
        yield url


@contextmanager
def embedded_redis(home: Path) -> Iterator[str]:
    """A server with 64 databases; yields the URL of the first."""
    home.mkdir(parents=True, exist_ok=True)
    port = ports.choose(0, set())
    with _running(redis.command(home, port), home / "log", lambda: ports.answers(port), signal.SIGTERM, {}):
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def _running(
    command: Sequence[str],
    log: Path,
    ready: Callable[[], bool],
    stop_signal: int,
    run_as: Mapping[str, Any],
) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen(
            list(command), cwd="/", stdout=out, stderr=out, start_new_session=True, **run_as
        )
    try:
        pause = threading.Event()
        for _ in range(600):
            if ready():
                break
            if process.poll() is not None:
                raise OSError(f"{command[0]} ended: {log.read_text()[-500:]}")
            pause.wait(0.05)
        yield
    finally:
        process.send_signal(stop_signal)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)
