"""The whole system, started as an operator starts it, or one that is there already (API_URL)."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from dotenv import dotenv_values

from infra.local.ports import choose
from shared.testing import wait_until
from tests.e2e.client import PASSWORD, ROOT, RunningSystem
from tests.e2e.people import People, gathered
from tests.watching.collector import Collector

# Of the delivery process to its mail server: a kill -9 doubles at most one mail for each (RFC 1047).
CONNECTIONS = 8


class Installation(RunningSystem):
    """A running system in a data folder of this machine."""

    def __init__(self, home: Path, **variables: str) -> None:
        self.home = home
        self.port = choose(0, set())
        self._variables = variables

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "DICOEVENT_HOME": str(self.home),
            "PORT": str(self.port),
            "SUPERUSER_USERNAME": "root",
            "SUPERUSER_PASSWORD": PASSWORD,
            "REMINDER_TICK_SECONDS": "1",
            "DELIVERY_LEASE_SECONDS": "3",
            "MAIL_MAX_CONNECTIONS": str(CONNECTIONS),
            "LOGIN_RATE_PER_MINUTE": "100000",
            **self._variables,
            **variables,
        }
        return python(arguments, environment)

    def up(self) -> None:
        result = self.run("infra.local", "up", "--detach")
        assert result.returncode == 0, result.stdout + result.stderr

    def down(self) -> None:
        result = self.run("infra.local", "down")
        assert result.returncode == 0, result.stdout + result.stderr

    @property
    def env(self) -> dict[str, str]:
        return {name: value or "" for name, value in dotenv_values(self.home / "env").items()}

    def pid(self, process: str) -> int:
        return int((self.home / "run" / f"{process}.pid").read_text())

    def kill(self, process: str) -> None:
        """kill -9 of the process group of one of the processes we started; waits for its successor."""
        pid = self.pid(process)
        os.killpg(pid, signal.SIGKILL)
        wait_until(lambda: self.pid(process) != pid, f"{process} is started again")


class Composed(RunningSystem):
    """A system that runs already; the variables of this process say where."""

    @property
    def env(self) -> dict[str, str]:
        return dict(os.environ)

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return python(arguments, {**os.environ, **variables})


def python(arguments: tuple[str, ...], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """`python -m ARGUMENTS` in this environment and no other."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    """Where all processes of the installation send their traces, ten times a second."""
    with Collector() as collector:
        yield collector


@pytest.fixture(scope="session")
def installation(collector: Collector) -> Iterator[Installation]:
    traces = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    with tempfile.TemporaryDirectory(prefix="dicoevent-e2e-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        system = Installation(Path(folder) / "home", **traces)
        system.up()
        yield system
        system.down()


@pytest.fixture(scope="session")
def system(request: pytest.FixtureRequest) -> RunningSystem:
    """The composed system when there is one, else an installation of our own."""
    return Composed() if os.environ.get("API_URL") else request.getfixturevalue("installation")


@pytest.fixture(scope="session")
def people(system: RunningSystem) -> Iterator[People]:
    """One of each kind of caller, the same for all tests: a test changes none of them."""
    with gathered(system) as everybody:
        yield everybody
