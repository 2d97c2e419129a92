"""One PostgreSQL and one Redis for a test run; for each test a database made from a migrated template."""

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest
from filelock import FileLock
from psycopg2 import sql
from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from infra.local.testing import embedded_postgres, embedded_redis
from shared.database import make_engine, migrate

ROOT = Path(__file__).parent

# They need a Docker engine: scripts/test --compose.
collect_ignore = ["tests/compose"]
_numbers = itertools.count()
# Hundreds of databases are made, each of some hundred files: in memory that costs a third.
_MEMORY = Path("/dev/shm")  # noqa: S108 - only the parent of a private folder
_ENOUGH_BYTES = 4 << 30


def pytest_configure(config: pytest.Config) -> None:
    """Starts the servers in the process that hands out the tests; the workers get their addresses."""
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    folder = tempfile.TemporaryDirectory(
        prefix="dicoevent-test-", dir=_server_folder(), ignore_cleanup_errors=True
    )
    os.environ["TEST_HOME"] = folder.name
    contexts = [embedded_postgres(Path(folder.name) / "pg"), embedded_redis(Path(folder.name) / "redis")]
    os.environ["TEST_POSTGRES_URL"], os.environ["TEST_REDIS_URL"] = [c.__enter__() for c in contexts]

    def stop() -> None:
        for context in reversed(contexts):
            context.__exit__(None, None, None)
        folder.cleanup()

    config.add_cleanup(stop)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker runs all tests of the whole system, so that one system is started and not one for each."""
    for item in items:
        if item.get_closest_marker("e2e"):
            item.add_marker(pytest.mark.xdist_group("e2e"))


def _server_folder() -> str | None:
    """Where the servers' folder is made; None says the usual place for temporary files."""
    roomy = os.access(_MEMORY, os.W_OK | os.X_OK) and shutil.disk_usage(_MEMORY).free >= _ENOUGH_BYTES
    return str(_MEMORY) if roomy else None


def _execute(statement: sql.Composable) -> None:
    dsn = make_url(os.environ["TEST_POSTGRES_URL"]).set(drivername="postgresql")
    connection = psycopg2.connect(dsn.render_as_string(hide_password=False))
    try:
        connection.autocommit = True
        connection.cursor().execute(statement)
    finally:
        connection.close()


def _url(database: str) -> str:
    url = make_url(os.environ["TEST_POSTGRES_URL"]).set(drivername="postgresql+psycopg2", database=database)
    return url.render_as_string(hide_password=False)


def _template(service: str) -> str:
    name = f"template_{service}"
    done = Path(os.environ["TEST_HOME"]) / name
    with FileLock(f"{done}.lock", timeout=60):
        if not done.exists():
            _execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            migrate(_url(name), ROOT / "services" / service / "migrations", name)
            done.touch()
    return name


@pytest.fixture
def make_database() -> Iterator[Callable[[str], str]]:
    """Makes a fresh, migrated database of a service; returns its URL."""
    made: list[str] = []

    def make(service: str) -> str:
        name = f"{service}_{os.getpid()}_{next(_numbers)}"
        template = _template(service)
        # A template cannot be copied by two at once.
        with FileLock(f"{os.environ['TEST_HOME']}/copy.lock", timeout=60):
            _execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY wal_log").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
        made.append(name)
        return _url(name)

    yield make
    for name in made:
        _execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def make_service_engine(make_database: Callable[[str], str]) -> Iterator[Callable[[str], Engine]]:
    """Makes an engine on a fresh database of a service."""
    engines: list[Engine] = []

    def make(service: str) -> Engine:
        engines.append(make_engine(make_database(service), "test"))
        return engines[-1]

    yield make
    for engine in engines:
        engine.dispose()


@pytest.fixture
def redis_url() -> Iterator[str]:
    """A Redis database of the test's own, empty."""
    import redis

    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    url = f"{os.environ['TEST_REDIS_URL'].rpartition('/')[0]}/{int(worker) + 1}"
    client = redis.Redis.from_url(url)
    client.flushdb()
    yield url
    client.flushdb()
    client.close()
