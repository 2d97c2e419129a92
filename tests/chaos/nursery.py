"""Delivery workers that can be killed by the hundred: forked from one process that has imported everything.

python -m tests.chaos.nursery: for each JSON line on stdin a worker is forked and its process id written.
"""

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from services.notifications.delivery import DeliveryLoop
from services.notifications.rate import RateGate
from services.notifications.settings import ReminderSettings, read_mail
from shared.database import make_engine
from shared.logging import configure

ROOT = Path(__file__).parents[2]


def reminder_settings(offset: float = 0.0, lease: float = 10.0) -> ReminderSettings:
    """The settings of a trial: what a dead worker held comes back `lease` seconds later."""
    return ReminderSettings(
        lead=timedelta(hours=2),
        tick=timedelta(seconds=1),
        lease=timedelta(seconds=lease),
        sweep=timedelta(seconds=1),
        max_attempts=50,
        resend_unknown=True,
        clock_offset=timedelta(seconds=offset),
    )


def make_loop(engine: Engine, port: int, connections: int, offset: float, lease: float) -> DeliveryLoop:
    """A sending loop as bootstrap makes it."""
    mail = read_mail(
        {"MAIL_HOST": "127.0.0.1", "MAIL_PORT": str(port), "MAIL_MAX_CONNECTIONS": str(connections)}
    )
    return DeliveryLoop(engine, reminder_settings(offset, lease), mail, RateGate(None, 0, str(os.getpid())))


class Nursery:
    """The forking process, seen from the trial."""

    def __enter__(self) -> "Nursery":
        command = [sys.executable, "-m", "tests.chaos.nursery"]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)

    def start(self, **worker: Any) -> int:
        """Forks a worker; returns its process id."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(worker) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def _work(skew: float, url: str, **worker: Any) -> None:
    if skew:
        true_time = time.time
        time.time = lambda: true_time() + skew
    loop = make_loop(make_engine(url, "chaos-worker", ping=False), **worker)
    signal.signal(signal.SIGTERM, lambda *_: loop.stop())
    loop.run()


def main() -> None:
    """Forks until stdin ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    configure("chaos-worker", "ERROR")
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            null = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1):
                os.dup2(null, descriptor)
            try:
                _work(**json.loads(line))
            except BaseException:  # noqa: BLE001 - a forked child must not go on as its parent, whatever broke it
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
