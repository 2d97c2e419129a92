"""The composed system on a real Docker engine, under a project name and ports of its own."""

import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator

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
FILES = ("-f", "docker-compose.yml", "-f", "docker-compose.test.yml")
BUILD_SECONDS = 1200
# Everything that stays running.
SERVICES = sorted(
    set(yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]) - {"secrets", "migrate"}
)


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
        command = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
        return subprocess.run(
            [*command, "-p", self.project, *FILES, *arguments],
            cwd=ROOT,
            env={**os.environ, "DOCKER_BUILDKIT": "0", **self.variables},
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
        self.compose("down", "-v", "--remove-orphans")
        for version in (self.project, f"{self.project}-next"):
            images = [f"dicoevent:{version}", f"dicoevent-tests:{version}"]
            subprocess.run(["docker", "rmi", *images], capture_output=True, timeout=120, check=False)

    def containers(self, service: str) -> list[str]:
        return self.must("ps", "-q", service).split()

    def wait_healthy(self) -> None:
        for service in SERVICES:
            wait_until(lambda s=service: self._healthy(s), f"{service} is healthy", 120)

    def _healthy(self, service: str) -> bool:
        containers = self.containers(service)
        return bool(containers) and all(
            inspect(c, "{{.State.Health.Status}}") == "healthy" for c in containers
        )

    def kill(self, service: str) -> None:
        """kill -9 of the first process of one of the service's containers: what a crash is to the engine."""
        container = self.containers(service)[0]
        started = inspect(container, "{{.State.StartedAt}}")
        os.kill(int(inspect(container, "{{.State.Pid}}")), signal.SIGKILL)
        wait_until(
            lambda: (
                inspect(container, "{{.State.StartedAt}} {{.State.Running}}")
                not in (f"{started} true", f"{started} false")
            ),
            f"{service} is started again",
            60,
        )


def inspect(container: str, template: str) -> str:
    """What the engine knows about a container."""
    result = subprocess.run(
        ["docker", "inspect", "-f", template, container],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return result.stdout.strip()


@pytest.fixture(scope="session")
def composition() -> Iterator[Composition]:
    system = Composition()
    try:
        system.up()
        yield system
    finally:
        system.remove()
