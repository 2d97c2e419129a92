"""Removes the files of posters that are no more; the door for the clock."""

import threading
from datetime import timedelta

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from services.events import poster_store
from services.events.errors import StorageAway
from services.events.storage import PosterStorage

log = structlog.get_logger(__name__)

BATCH = 20
PAUSE_SECONDS = 30.0
# No upload takes longer: its calls to the storage end after seconds.
ABANDONED = timedelta(minutes=15)


def sweep_once(engine: Engine, storage: PosterStorage, abandoned_after: timedelta = ABANDONED) -> int:
    """Removes the files of up to `BATCH` rows, and the rows; returns how many. Raises StorageAway.

    A row goes after its file: a crash in between tries again, and removing what is not there is no error.
    """
    with engine.begin() as connection:
        names = poster_store.claim_unfinished(connection, abandoned_after, BATCH)
        for name in names:
            storage.remove(name)
            poster_store.forget(connection, name)
    return len(names)


class Sweeper(threading.Thread):
    """Sweeps when woken and every `PAUSE_SECONDS`; any number may run."""

    def __init__(self, engine: Engine, storage: PosterStorage) -> None:
        super().__init__(name="sweeper", daemon=True)
        self._engine = engine
        self._storage = storage
        self._wake = threading.Event()
        self._stop_asked = threading.Event()

    def run(self) -> None:
        while not self._stop_asked.is_set():
            try:
                while not self._stop_asked.is_set() and sweep_once(self._engine, self._storage) == BATCH:
                    pass
            except (SQLAlchemyError, StorageAway) as error:
                log.warning("sweep.failed", error=str(error).strip())
            self._wake.wait(PAUSE_SECONDS)
            self._wake.clear()

    def wake(self) -> None:
        """Something is gone."""
        self._wake.set()

    def stop(self, timeout: float = 5.0) -> None:
        """Ends after the batch in hand."""
        self._stop_asked.set()
        self._wake.set()
        self.join(timeout)
