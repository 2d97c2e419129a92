"""The relay: from the outbox to the queues. Any number of them may run."""

import contextlib
import threading
from collections.abc import Sequence
from typing import Protocol

import structlog
from kombu.exceptions import OperationalError
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.database import Listener
from shared.metrics.instruments import relay_breaker, relay_sent
from shared.outbox import store
from shared.tracing import is_on, span

log = structlog.get_logger(__name__)

BATCH = 500
POLL_SECONDS = 1.0
# A busy publisher's messages gather so long: each run costs two commits, which orders wait for too.
GATHER_SECONDS = 0.02


class Sender(Protocol):
    """Puts each (type, envelope) on every queue that takes its type."""

    def send(self, messages: Sequence[tuple[str, dict[str, object]]]) -> None: ...


class Relay(threading.Thread):
    """Woken by NOTIFY and a poll each second; sends at least once, consumers note each id in their inbox."""

    def __init__(self, engine: Engine, url: str, sender: Sender) -> None:
        super().__init__(name="relay", daemon=True)
        self._engine = engine
        self._sender = sender
        self._wake = threading.Event()
        self._stop_asked = threading.Event()
        self._listener = Listener(url, store.CHANNEL, self._wake.set)
        self.broker_error: str | None = None

    def run(self) -> None:
        self._listener.start()
        epoch_known = False
        while not self._stop_asked.is_set():
            self._wake.wait(POLL_SECONDS)
            self._stop_asked.wait(GATHER_SECONDS)
            self._wake.clear()
            try:
                if not epoch_known:
                    with self._engine.begin() as connection:
                        store.renew_epoch(connection)
                    epoch_known = True
                while not self._stop_asked.is_set() and self.relay_once():
                    pass
            except (DBAPIError, PoolTimeout) as error:
                log.warning("relay.database_away", error=str(error).strip())
                self._stop_asked.wait(POLL_SECONDS)

    def relay_once(self) -> bool:
        """One batch; True if there may be more."""
        with self._engine.begin() as connection:
            assigned = store.assign_positions(connection, BATCH)
        sent: list[int] = []
        with self._engine.begin() as connection:
            claimed = store.claim_unsent(connection, BATCH)
            if claimed and self._send([(message_type, envelope) for _, message_type, envelope in claimed]):
                sent = [position for position, _, _ in claimed]
                store.mark_sent(connection, sent)
                relay_sent.inc(len(sent))
        return self.broker_error is None and (assigned == BATCH or len(sent) == BATCH)

    def _send(self, messages: Sequence[tuple[str, dict[str, object]]]) -> bool:
        try:
            with contextlib.ExitStack() as spans:
                if is_on():
                    for message_type, envelope in messages:
                        parent = str(envelope.get("traceparent", ""))
                        spans.enter_context(span(f"send {message_type}", "producer", parent=parent))
                self._sender.send(messages)
        except (OperationalError, OSError) as error:
            if self.broker_error is None:
                log.warning("relay.broker_away", error=str(error))
            self.broker_error = str(error) or type(error).__name__
            relay_breaker.set(1)
            return False
        if self.broker_error is not None:
            log.info("relay.broker_back")
            relay_breaker.set(0)
        self.broker_error = None
        return True

    def stop(self, timeout: float = 5.0) -> None:
        """Ends after the batch in hand."""
        self._stop_asked.set()
        self._wake.set()
        self._listener.stop()
        self.join(timeout)
