"""A consumer process as the services run it, with a receiver that writes down what comes."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.testing import wait_until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def start_consumer(
    make_database: Callable[[str], str], redis_url: str, tmp_path: Path
) -> Iterator[Callable[[], tuple[subprocess.Popen, str]]]:
    """Starts the real notifications consumer; returns its process and its database's URL."""
    url = make_database("notifications")
    started: list[subprocess.Popen] = []

    def start() -> tuple[subprocess.Popen, str]:
        heartbeat = tmp_path / f"heartbeat-{len(started)}"
        environment = {
            **os.environ,
            "NOTIFICATIONS_DATABASE_URL": url,
            "CELERY_BROKER_URL": redis_url,
            "SERVICE_TOKEN": "test-token",
            "LINK_SECRET": "test-secret",
            "HEARTBEAT_FILE": str(heartbeat),
            "ACCOUNTS_URL": "http://127.0.0.1:9",
            "EVENTS_URL": "http://127.0.0.1:9",
            "TICKETS_URL": "http://127.0.0.1:9",
        }
        with (tmp_path / f"log-{len(started)}").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "services.notifications", "consumer"],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(process)
        wait_until(heartbeat.exists, "the consumer is ready")
        return process, url

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
