"""Ends a consumer that is alive and consumes nothing, so that its supervisor starts it again.

A Celery worker can lose its place at Redis without noticing. The feed keeps its projections right meanwhile,
so no row of a feed grows old unread; what shows it is the row that waits longest in the queue untaken.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog
from redis import Redis, RedisError

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 60.0
EXIT_CODE = 75  # EX_TEMPFAIL of sysexits.h
_LOOKS = 6


@dataclass
class Intake:
    """How many messages a worker was handed."""

    count: int = 0


@dataclass
class Deafness:
    """How long the same message is the oldest of its queue while the worker takes none."""

    _seen: dict[str, tuple[bytes | str, int, float]] = field(default_factory=dict)

    def age(self, queue: str, oldest: bytes | str | None, taken: int, now: float) -> float:
        """Seconds (of `now`, any monotonic clock) for which nothing moved; 0 when something did."""
        if oldest is None:
            self._seen.pop(queue, None)
            return 0.0
        before = self._seen.get(queue)
        if before is None or before[:2] != (oldest, taken):
            self._seen[queue] = before = (oldest, taken, now)
        return now - before[2]

    def forget(self) -> None:
        """Starts to count anew: the queues could not be seen."""
        self._seen.clear()


def start_watchdog(
    broker_url: str,
    queues: Sequence[str],
    intake: Intake,
    patience: float,
    end: Callable[[int], object] = os._exit,
) -> None:
    """Ends this process once the oldest message of a queue was passed over for `patience` seconds.

    At once and not by SIGTERM: a worker in this state need not hear one. Nothing is lost, as a message is
    acknowledged after its transaction.
    """
    client = Redis.from_url(broker_url, socket_timeout=2, socket_connect_timeout=2, retry=None)
    deafness = Deafness()

    def watch() -> None:
        while True:
            time.sleep(patience / _LOOKS)
            try:
                heads = [(queue, client.lindex(queue, -1)) for queue in queues]
            except RedisError:
                deafness.forget()
                continue
            for queue, oldest in heads:
                age = deafness.age(queue, oldest, intake.count, time.monotonic())
                if age >= patience:
                    log.error("consumer.deaf", queue=queue, oldest_seconds=round(age, 1))
                    end(EXIT_CODE)

    threading.Thread(target=watch, name="watchdog", daemon=True).start()
