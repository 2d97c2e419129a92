"""Reads the publishers' feeds: at start, on a slow loop, and at once when a message is missing."""

import threading
from collections.abc import Mapping

import httpx
import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.inbox import store
from shared.inbox.receiver import Receiver

log = structlog.get_logger(__name__)

BATCH = 500


class FeedReader(threading.Thread):
    """`feeds` maps a source (`/tickets`) to its API's base URL. Wakes itself every `interval` seconds."""

    def __init__(
        self, engine: Engine, feeds: Mapping[str, str], service_token: str, interval: float = 10.0
    ) -> None:
        super().__init__(name="feed-reader", daemon=True)
        self._engine = engine
        self._feeds = feeds
        self._headers = {"X-Service-Token": service_token}
        self._interval = interval
        self._wake = threading.Event()
        self._stop_asked = threading.Event()
        self.receiver: Receiver | None = None

    def wake(self) -> None:
        """Reads now: a gap was seen."""
        self._wake.set()

    def run(self) -> None:
        with httpx.Client(timeout=httpx.Timeout(10, connect=2), headers=self._headers) as client:
            while not self._stop_asked.is_set():
                unread = [source for source in self._feeds if not self._read(client, source)]
                self._wake.wait(1.0 if unread else self._interval)
                self._wake.clear()

    def _read(self, client: httpx.Client, source: str) -> bool:
        try:
            while not self._stop_asked.is_set():
                if self.read_batch(client, source) < BATCH:
                    return True
        except (httpx.HTTPError, ValueError, KeyError) as error:
            log.warning("feed.away", source=source, error=f"{type(error).__name__}: {error}")
        except (DBAPIError, PoolTimeout) as error:
            log.warning("feed.database_away", source=source, error=str(error).strip())
        return False

    def read_batch(self, client: httpx.Client, source: str) -> int:
        """Takes in the next stretch of one feed; returns its length."""
        assert self.receiver is not None, "wired in bootstrap"
        with self._engine.connect() as connection:
            epoch, position = store.cursor_of(connection, source)
        page = self._page(client, source, position)
        if page["epoch"] != epoch and position:
            # Another epoch: the publisher was restored from a backup, and its positions mean other rows.
            page = self._page(client, source, 0)
        messages = page["messages"]
        if messages or page["epoch"] != epoch:
            last = messages[-1]["feedposition"] if messages else 0
            self.receiver.receive_batch(source, page["epoch"], messages, last)
        return len(messages)

    def _page(self, client: httpx.Client, source: str, after: int) -> dict:
        answer = client.get(f"{self._feeds[source]}/internal/feed", params={"after": after, "limit": BATCH})
        return answer.raise_for_status().json()

    def stop(self, timeout: float = 5.0) -> None:
        """Ends after the batch in hand."""
        self._stop_asked.set()
        self._wake.set()
        self.join(timeout)
