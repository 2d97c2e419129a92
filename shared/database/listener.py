"""A thread that turns PostgreSQL's NOTIFY into a call."""

import select
import threading
from collections.abc import Callable

import psycopg2
import structlog
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT
from sqlalchemy.engine import make_url

from shared.database.engine import NOTICES_A_DEAD_MACHINE

log = structlog.get_logger(__name__)


class Listener(threading.Thread):
    """Calls `on_notify()` for each NOTIFY on `channel`; reconnects until it is stopped.

    A notification that comes while it is not connected is lost, so whoever is woken also polls.
    """

    def __init__(self, url: str, channel: str, on_notify: Callable[[], None]) -> None:
        super().__init__(name=f"listen-{channel}", daemon=True)
        self._dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._channel = channel
        self._on_notify = on_notify
        self._stop_asked = threading.Event()

    def run(self) -> None:
        while not self._stop_asked.is_set():
            try:
                self._listen()
            except (psycopg2.Error, OSError) as error:
                log.warning("listen.lost", channel=self._channel, error=str(error).strip())
                self._stop_asked.wait(1)

    def _listen(self) -> None:
        connection = psycopg2.connect(
            self._dsn, connect_timeout=5, application_name=self.name, **NOTICES_A_DEAD_MACHINE
        )
        try:
            connection.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
            connection.cursor().execute(f'LISTEN "{self._channel}"')
            self._on_notify()
            while not self._stop_asked.is_set():
                readable, _, _ = select.select([connection], [], [], 0.5)
                if not readable:
                    continue
                connection.poll()
                if connection.notifies:
                    connection.notifies.clear()
                    self._on_notify()
        finally:
            connection.close()

    def stop(self) -> None:
        """Asks the thread to end; it does within a second."""
        self._stop_asked.set()
