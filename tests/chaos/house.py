"""The whole system in several processes, with a link that can be broken between any two of them."""

import math
import os
import re
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import httpx
import redis

from infra.local import ports
from infra.local.processes import PROGRAMS, WORKERS, Program
from infra.local.settings import SERVICES, prepare_home, read_settings
from infra.local.supervisor import Child
from infra.local.system import ROOT, System
from shared.testing import wait_until
from tests.chaos.proxy import Links
from tests.e2e.client import PASSWORD

# Of each delivery process to the mail server.
CONNECTIONS = 4
LEASE_SECONDS = 10
SETTLE_SECONDS = 3
GRACE_SECONDS = 8
# A second of each worker.
SECONDS = tuple(replace(program, name=f"{program.name}-2") for program in WORKERS)
OURS = (*PROGRAMS, *SECONDS)
DELIVERIES = ("notifications-delivery", "notifications-delivery-2")
SERVERS = ("postgres", "redis")

_SETTINGS = {
    "SUPERUSER_USERNAME": "root",
    "SUPERUSER_PASSWORD": PASSWORD,
    "REMINDER_TICK_SECONDS": "1",
    "DELIVERY_LEASE_SECONDS": str(LEASE_SECONDS),
    "DELIVERY_GRACE_SECONDS": str(GRACE_SECONDS),
    "DELIVERY_MAX_ATTEMPTS": "200",
    "NOTICE_SETTLE_SECONDS": str(SETTLE_SECONDS),
    "MAIL_MAX_CONNECTIONS": str(CONNECTIONS),
    "MAIL_SECURITY": "none",
    "LOGIN_RATE_PER_MINUTE": "100000",
    "LOG_LEVEL": "warning",
}


class LinkedSystem(System):
    """The runner's system, where each process finds every other one through a link."""

    links: Links
    offset = 0.0
    skews: Mapping[str, float] = {}

    def environment(self, program: Program) -> dict[str, str]:
        values = super().environment(program)
        if program.name not in {p.name for p in OURS}:
            return values
        names = {f"{s.upper()}_URL": f"{s}-api" for s in SERVICES}
        names |= {f"{s.upper()}_DATABASE_URL": "postgres" for s in SERVICES}
        for variable, server in {**names, "CELERY_BROKER_URL": "redis"}.items():
            if variable in values:
                values[variable] = self._through(program.name, server, values[variable])
        if program.service == "notifications":
            port = int(self._settings.environment["MAIL_PORT"])
            values["MAIL_PORT"] = str(self.links.port(program.name, "mail", port))
            values["CLOCK_OFFSET_SECONDS"] = str(self.offset)
        if skew := self.skews.get(program.name):
            values.update(PYTHONPATH=str(ROOT / "tests" / "chaos" / "skew"), CHAOS_SKEW_SECONDS=str(skew))
        return values

    def _through(self, client: str, server: str, url: str) -> str:
        def link(match: re.Match[str]) -> str:
            return f"127.0.0.1:{self.links.port(client, server, int(match[1]))}"

        return re.sub(r"127\.0\.0\.1:(\d+)", link, url, count=1)

    def start(self, stopped: threading.Event) -> None:
        super().start(stopped)
        for program in SECONDS:
            self._supervisor.start(self._child(program))
        self._supervisor.wait_healthy(60, stopped)

    @property
    def children(self) -> dict[str, Child]:
        return {child.name: child for child in self._supervisor._children}


class House:
    """A system in a data folder of its own, started and looked after by this process."""

    def __init__(self, home: Path, mail_port: int) -> None:
        prepare_home(home)
        self.home = home
        self.said: list[str] = []
        self.links = Links()
        self._stopped = threading.Event()
        environment = {
            **_SETTINGS,
            "PATH": os.environ["PATH"],
            "DICOEVENT_HOME": str(home),
            "PORT": str(ports.choose(0, set())),
            "MAIL_HOST": "127.0.0.1",
            "MAIL_PORT": str(mail_port),
        }
        self.system = LinkedSystem(read_settings(environment), self.said.append)
        self.system.links = self.links
        self._watcher = threading.Thread(target=self.system.watch, args=(self._stopped,), name="supervisor")

    def __enter__(self) -> "House":
        try:
            with ports.one_start_at_a_time(self.said.append, self._stopped):
                self.system.start(self._stopped)
        except BaseException:
            self.system.stop()
            raise
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._watcher.join(30)
        # All is compared by now: nobody needs an orderly end any more.
        for name in self.system.children:
            self.send(name, signal.SIGCONT if name in SERVERS else signal.SIGKILL)
        self.system.stop()

    @property
    def env(self) -> Mapping[str, str]:
        return self.system.chosen

    @property
    def offset(self) -> float:
        """How far the clock of notifications is ahead, in seconds."""
        return self.system.offset

    def now(self) -> float:
        """The time of notifications, in seconds of the epoch."""
        return time.time() + self.system.offset

    def redis(self) -> "redis.Redis":
        """A client that goes past the links."""
        return redis.Redis.from_url(self.env["CELERY_BROKER_URL"], socket_timeout=5, socket_connect_timeout=5)

    def pid(self, name: str) -> int:
        process = self.system.children[name].process
        assert process is not None, "every child was started"
        return process.pid

    def send(self, name: str, number: int) -> None:
        """Sends a signal to the process group of a child that runs."""
        if self.system.children[name].running():
            os.killpg(self.pid(name), number)

    def kill(self, name: str) -> None:
        """kill -9; the supervisor starts it again."""
        self.send(name, signal.SIGKILL)

    def hold(self, *names: str, number: int = signal.SIGKILL) -> None:
        """Ends children and keeps them down until `release`; returns when they have ended."""
        children = [self.system.children[name] for name in names]
        for child in children:
            child.restart_at = math.inf
            self.send(child.name, number)
        wait_until(lambda: not any(child.running() for child in children), f"{names} have ended", 60)

    def release(self, *names: str) -> None:
        """Starts children again, with what their environment is now."""
        for name in names:
            self.refresh(name)
            self.system.children[name].restart_at = 0.0

    def refresh(self, name: str) -> None:
        """What the next start of one of our processes is given."""
        for program in OURS:
            if program.name == name:
                self.system.children[name].environment = self.system.environment(program)

    def health(self) -> str:
        """What the gateway says of everything: `ok`, `degraded`, `down`, or that it does not answer."""
        try:
            return str(httpx.get(f"{self.env['API_URL']}/health", timeout=4).json()["status"])
        except (httpx.HTTPError, ValueError, KeyError):
            return "no answer"

    def sick(self) -> list[str]:
        """The processes that do not run, or have not said that they are well since their start."""
        found = []
        for name, child in self.system.children.items():
            if not child.running():
                found.append(name)
            elif name not in SERVERS and not name.endswith(("-api", "gateway")):
                started = time.time() - (time.monotonic() - child.started_at)
                heartbeat = self.home / "run" / f"{name}.heartbeat"
                if not heartbeat.exists() or heartbeat.stat().st_mtime < started:
                    found.append(name)
        return found
