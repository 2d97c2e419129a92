"""The door for the clock: a thread of the API. Any number may run, as rows are claimed in the database."""

import threading
from datetime import timedelta

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from services.tickets.handlers.holds import expire_holds
from services.tickets.store.keys import prune_keys

log = structlog.get_logger(__name__)

TICK_SECONDS = 2.0
BATCH = 100
# Keys of one tick; what is left waits for the next one.
PRUNED = 1000


class Beat(threading.Thread):
    """At each tick lets unpaid holds expire and forgets old idempotency keys."""

    def __init__(self, engine: Engine, keep_keys: timedelta) -> None:
        super().__init__(name="beat", daemon=True)
        self._engine = engine
        self._keep_keys = keep_keys
        self._stop_asked = threading.Event()

    def run(self) -> None:
        while not self._stop_asked.is_set():
            try:
                while self.expire_batch() == BATCH and not self._stop_asked.is_set():
                    pass
                with self._engine.begin() as connection:
                    prune_keys(connection, self._keep_keys, PRUNED)
            except (DBAPIError, PoolTimeout) as error:
                log.warning("beat.database_away", error=str(error).strip())
            self._stop_asked.wait(TICK_SECONDS)

    def expire_batch(self) -> int:
        """Lets some holds expire; returns how many."""
        with self._engine.begin() as connection:
            expired = expire_holds(connection, BATCH)
        if expired:
            log.info("holds.expired", orders=expired)
        return expired

    def stop(self, timeout: float = 5.0) -> None:
        """Ends after the batch in hand."""
        self._stop_asked.set()
        self.join(timeout)
