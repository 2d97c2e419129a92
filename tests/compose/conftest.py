"""The composed system on a real Docker engine, under a project name and ports of its own."""

import os
import signal
import subprocess
import uuid
from collections.abc import Iterator

import httpx
import pytest
import yaml

from infra.local.ports import choose
from shared.testing import wait_until
from tests.e2e.client import ROOT, RunningSystem
from tests.e2e.conftest import python

PORTS = (
    "PORT",
    "DB_PORT",
    "REDIS_PORT",
    "MINIO_PORT",
    "MINIO_CONSOLE_PORT",
    "INBOX_SMTP_PORT",
    "INBOX_HTTP_PORT",
)
# Not the .env of this machine: the example, in which nothing is set.
FILES = ("--env-file", ".env.example", "-f", "docker-compose.yml", "-f", "docker-compose.test.yml")
BUILD_SECONDS = 1200
ONE_SHOTS = ("secrets", "migrate")
# Everything that stays running.
SERVICES = sorted(set(yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]) - set(ONE_SHOTS))
_LABEL = "label=com.docker.compose"


class Composition(RunningSystem):
    """A project of `docker compose`; every call has a deadline."""

    def __init__(self) -> None:
        taken: set[int] = set()
        self.project = f"dicoevent{uuid.uuid4().hex[:8]}"
        self.variables = {name: str(choose(0, taken)) for name in PORTS}
        self.variables.update(VERSION=self.project, BIND_ADDRESS="127.0.0.1")

    @property
    def env(self) -> dict[str, str]:
        host = "127.0.0.1"
        return {
            "API_URL": f"http://{host}:{self.variables['PORT']}",
            "INBOX_URL": f"http://{host}:{self.variables['INBOX_HTTP_PORT']}",
            "CELERY_BROKER_URL": f"redis://{host}:{self.variables['REDIS_PORT']}/0",
        }

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return python(arguments, {**os.environ, **self.env, **variables})

    def compose(self, *arguments: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """`docker compose ARGUMENTS` for this project."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "DOCKER_HOST") if name in os.environ}
        return subprocess.run(
            [*_command(), "-p", self.project, *FILES, *arguments],
            cwd=ROOT,
            env={**kept, "DOCKER_BUILDKIT": "0", **self.variables},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def must(self, *arguments: str, seconds: float = 300) -> str:
        """What a call prints that has to succeed."""
        result = self.compose(*arguments, seconds=seconds)
        assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]
        return result.stdout

    def up(self) -> None:
        """The one command of an operator; returns when everything is healthy."""
        self.must("up", "-d", "--build", "--scale", "notifications-delivery=2", seconds=BUILD_SECONDS)
        self.wait_healthy()

    def remove(self) -> None:
        """Takes away everything that this project made."""
        self.compose("kill")
        self.compose("down", "-v", "--remove-orphans")
        for version in (self.project, f"{self.project}-next"):
            images = [f"dicoevent:{version}", f"dicoevent-tests:{version}"]
            subprocess.run(["docker", "rmi", *images], capture_output=True, timeout=120, check=False)

    def containers(self, service: str) -> list[str]:
        """The containers that run a service, oldest first."""
        return [row[0] for row in reversed(self._list("{{.ID}}", f"{_LABEL}.service={service}"))]

    def wait_healthy(self) -> None:
        """Returns when every container that stays says itself that it is well."""
        wait_until(lambda: not self._unwell(), "everything is healthy", 180, every=0.5)

    def wait_answering(self) -> None:
        """Returns when the gateway reaches every service, and they their servers."""
        wait_until(self._answers, "the gateway's health is ok", 120, every=0.2)

    def kill(self, service: str) -> None:
        """kill -9 of the first process of one of the service's containers: what a crash is to the engine."""
        container = self.containers(service)[0]
        pid, started = inspect(container, "{{.State.Pid}} {{.State.StartedAt}}").split()
        os.kill(int(pid), signal.SIGKILL)
        wait_until(lambda: _runs_anew(container, started), f"{service} is started again", 60, every=0.2)

    def _unwell(self) -> set[str]:
        template = '{{.Label "com.docker.compose.service"}}\t{{.Status}}'
        states = [row for row in self._list(template) if row[0] in SERVICES]
        well = {service for service, state in states if "(healthy)" in state}
        return set(SERVICES) - well | {service for service, state in states if "(healthy)" not in state}

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.env['API_URL']}/health", timeout=10).json()["status"] == "ok"
        except httpx.TransportError:
            return False

    def _list(self, template: str, *filters: str) -> list[list[str]]:
        """One row for each container; the tests' own are none of them."""
        wanted = (f"{_LABEL}.project={self.project}", f"{_LABEL}.oneoff=False", *filters)
        options = [part for one in wanted for part in ("--filter", one)]
        return [line.split("\t") for line in docker("ps", *options, "--format", template).splitlines()]


def docker(*arguments: str) -> str:
    """What `docker ARGUMENTS` prints."""
    command = ["docker", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return result.stdout.strip()


def inspect(container: str, template: str) -> str:
    """What the engine knows about a container."""
    return docker("inspect", "-f", template, container)


def _runs_anew(container: str, started: str) -> bool:
    now, running = inspect(container, "{{.State.StartedAt}} {{.State.Running}}").split()
    return now != started and running == "true"


def _command() -> list[str]:
    current = ["docker", "compose"]
    probe = subprocess.run([*current, "version"], capture_output=True, timeout=60, check=False)
    return ["docker-compose"] if probe.returncode else current


@pytest.fixture(scope="session")
def composition() -> Iterator[Composition]:
    system = Composition()
    try:
        system.up()
        yield system
    finally:
        system.remove()
