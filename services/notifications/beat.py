"""Door: clock in. Celery beat ticks; the tick plans in the database and wakes the delivery processes.

Any number of beats may run. The schedule is kept in memory: what is due stands in the database.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import structlog
from celery import Celery
from celery.beat import ScheduleEntry, Scheduler, Service
from kombu import Connection
from kombu.exceptions import OperationalError

from services.notifications.tasks import WAKE_QUEUE, WAKE_TASK

log = structlog.get_logger(__name__)

# More wake-ups than this say nothing new: one makes a delivery process look at everything that is due.
_WAKE_UPS_KEPT = 10


class TickScheduler(Scheduler):
    """Runs its one entry here instead of sending it away: a tick must not depend on Redis."""

    # The parent's producer waits for Redis, for ever if need be, before each entry.
    producer = None

    def setup_schedule(self) -> None:
        self.merge_inplace(self.app.conf.beat_schedule)

    def apply_async(
        self, entry: ScheduleEntry, producer: Any = None, advance: bool = True, **options: Any
    ) -> None:
        if advance:
            self.reserve(entry)
        self.app.tick()


def make_beat(app: Celery, every: timedelta, tick: Callable[[], None]) -> Service:
    """A beat that calls `tick` every so often, until its `stop()`."""
    app.tick = tick
    app.conf.beat_schedule = {"tick": {"task": "notifications.tick", "schedule": every}}
    return Service(
        app, max_interval=min(5, every.total_seconds()), schedule_filename=None, scheduler_cls=TickScheduler
    )


def send_wake_up(app: Celery) -> None:
    """Puts a wake-up on the delivery queue; a lost one is stood in for by the sweep."""
    with app.connection_for_write() as connection:
        try:
            if _waiting(connection) < _WAKE_UPS_KEPT:
                app.send_task(WAKE_TASK, queue=WAKE_QUEUE, exchange="", routing_key=WAKE_QUEUE)
        except (OperationalError, *connection.connection_errors) as error:
            log.warning("beat.broker_away", error=str(error))


def _waiting(connection: Connection) -> int:
    try:
        return connection.default_channel.queue_declare(WAKE_QUEUE, passive=True).message_count
    except connection.channel_errors:
        return 0  # on Redis an empty queue is one that does not exist
