"""The whole system in several processes, with a link that can be cut between any two of them."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from infra.local.ports import choose
from infra.local.processes import WORKERS, Program
from infra.local.settings import SERVICES, prepare_home, read_settings
from infra.local.system import ROOT, System
from tests.chaos.proxy import Links
from tests.e2e.client import PASSWORD, RunningSystem

CONNECTIONS = 4
SKEW_SECONDS = 300
# A second of each worker, and two processes whose clocks are five minutes apart from the others'.
SECONDS = tuple(replace(program, name=f"{program.name}-2") for program in WORKERS)
SKEWED = {"notifications-delivery-2": SKEW_SECONDS, "notifications-beat-2": -SKEW_SECONDS}


class LinkedSystem(System):
    """The runner's system, where each process finds every other one through a link."""

    links: Links

    def environment(self, program: Program) -> dict[str, str]:
        values = super().environment(program)
        client = program.service or program.name
        if program.name == "inbox" or (program.service is None and program.name != "gateway"):
            return values
        for service in SERVICES:
            name = f"{service.upper()}_URL"
            values[name] = self._through(client, f"{service}-api", values[name])
            if (url := values.get(f"{service.upper()}_DATABASE_URL")) is not None:
                values[f"{service.upper()}_DATABASE_URL"] = self._through(client, "postgres", url)
        values["CELERY_BROKER_URL"] = self._through(client, "redis", values["CELERY_BROKER_URL"])
        if client == "notifications":
            values["MAIL_PORT"] = str(self.links.between(client, "mail", int(values["MAIL_PORT"])))
        if program.name in SKEWED:
            skew = ROOT / "tests" / "chaos" / "skew"
            values.update(PYTHONPATH=str(skew), CHAOS_SKEW_SECONDS=str(SKEWED[program.name]))
        return values

    def _through(self, client: str, server: str, url: str) -> str:
        def link(match: re.Match[str]) -> str:
            return f"127.0.0.1:{self.links.between(client, server, int(match[1]))}"

        return re.sub(r"127\.0\.0\.1:(\d+)", link, url, count=1)

    def start(self, stopped: threading.Event) -> None:
        super().start(stopped)
        for program in SECONDS:
            self._supervisor.start(self._child(program))


class House(RunningSystem):
    """A system in a data folder of its own, started and looked after by this process."""

    def __init__(self, home: Path) -> None:
        self.home = home
        settings = {
            "PATH": os.environ["PATH"],
            "DICOEVENT_HOME": str(home),
            "PORT": str(choose(0, set())),
            "SUPERUSER_USERNAME": "root",
            "SUPERUSER_PASSWORD": PASSWORD,
            "REMINDER_TICK_SECONDS": "1",
            "DELIVERY_LEASE_SECONDS": "3",
            "DELIVERY_MAX_ATTEMPTS": "200",
            "NOTICE_SETTLE_SECONDS": "5",
            "ORDER_CONFIRMATION": "off",
            "MAIL_MAX_CONNECTIONS": str(CONNECTIONS),
            "LOGIN_RATE_PER_MINUTE": "100000",
            "LOG_LEVEL": "warning",
        }
        prepare_home(home)
        self.said: list[str] = []
        self.links = Links()
        self._stopped = threading.Event()
        self._system = LinkedSystem(read_settings(settings), self.said.append)
        self._system.links = self.links
        self._watcher = threading.Thread(target=self._watch, name="supervisor")

    def __enter__(self) -> "House":
        try:
            self._system.start(self._stopped)
        except BaseException:
            self._system.stop()
            raise
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._watcher.join(30)
        self._system.stop()

    def _watch(self) -> None:
        self._system.watch(self._stopped)

    @property
    def env(self) -> Mapping[str, str]:
        return {**self._system.chosen, **{k: self._system.secrets[k] for k in ("SERVICE_TOKEN",)}}

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """`python -m ARGUMENTS` beside the system, past its links."""
        environment = {"PATH": os.environ["PATH"], **self.env, **variables}
        command = [sys.executable, "-m", *arguments]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
