"""Reads the publishers' feeds: at start, on a slow loop, and at once when a message is missing."""

import threading
import time
from collections.abc import Mapping

import httpx
import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.http.replicas import base_of, open_client
from shared.inbox import store
from shared.inbox.receiver import Receiver
from shared.inbox.store import Cursor
from shared.metrics.instruments import feed_missed, feed_restarts

log = structlog.get_logger(__name__)

BATCH = 500
GAP_SECONDS = 0.5


class FeedReader(threading.Thread):
    """`feeds` maps a source (`/tickets`) to its API's address. Wakes itself every `interval` seconds."""

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
        for source in feeds:
            # A counter that is not there before its first count shows no increase at that count.
            feed_missed.labels(source)
            feed_restarts.labels(source)

    def wake(self) -> None:
        """A gap was seen: reads soon, if it stands."""
        self._wake.set()

    def run(self) -> None:
        patience = httpx.Timeout(10, connect=2)
        with open_client(*self._feeds.values(), timeout=patience, headers=self._headers) as client:
            while not self._stop_asked.is_set():
                unread = [source for source in self._feeds if not self._read(client, source)]
                self._rest(1.0 if unread else self._interval)

    def _rest(self, seconds: float) -> None:
        """Until the next reading: so long, or until a gap has stood for a moment.

        Several consumers commit out of order, and most gaps are closed by the next commit.
        """
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and self._wake.wait(left):
            self._stop_asked.wait(GAP_SECONDS)
            self._wake.clear()
            if self._stop_asked.is_set() or not self._settled():
                return

    def _settled(self) -> bool:
        assert self.receiver is not None, "wired in bootstrap"
        try:
            return self.receiver.settle()
        except (DBAPIError, PoolTimeout) as error:
            log.warning("feed.database_away", error=str(error).strip())
            return False

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
            cursor = store.cursor_of(connection, source)
        page = self._page(client, source, cursor)
        if cursor.position and (page["epoch"] != cursor.epoch or not page["known"]):
            # The publisher was restored from a backup: its positions mean other rows than those read here.
            cursor = self._restart(source, page["epoch"], cursor)
            page = self._page(client, source, cursor)
        elif page["lowest"] > cursor.position + 1:
            missed = page["lowest"] - cursor.position - 1
            feed_missed.labels(source).inc(missed)
            log.error("feed.missed", source=source, after=cursor.position, lowest=page["lowest"])
        messages = page["messages"]
        if messages or page["epoch"] != cursor.epoch:
            last = messages[-1]["feedposition"] if messages else 0
            self.receiver.receive_batch(source, page["epoch"], messages, last)
        return len(messages)

    def _restart(self, source: str, epoch: str, cursor: Cursor) -> Cursor:
        feed_restarts.labels(source).inc()
        log.warning("feed.restarted", source=source, position=cursor.position, epoch=epoch)
        with self._engine.begin() as connection:
            store.restart_cursor(connection, source, epoch)
        return Cursor(epoch, 0, "")

    def _page(self, client: httpx.Client, source: str, cursor: Cursor) -> dict:
        query: dict[str, str | int] = {"after": cursor.position, "limit": BATCH, "last": cursor.last_id}
        answer = client.get(f"{base_of(self._feeds[source])}/internal/feed", params=query)
        # A publisher of the version before this one tells neither.
        return {"known": True, "lowest": 0, **answer.raise_for_status().json()}

    def stop(self, timeout: float = 5.0) -> None:
        """Ends after the batch in hand."""
        self._stop_asked.set()
        self._wake.set()
        self.join(timeout)
