"""The relay: from the outbox to the queues. Any number of them may run."""

import threading
from typing import Protocol

import structlog
from kombu.exceptions import OperationalError
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.database import Listener
from shared.metrics.instruments import relay_breaker, relay_sent
from shared.outbox import store
from shared.tracing import span

log = structlog.get_logger(__name__)

BATCH = 500
POLL_SECONDS = 1.0


class Sender(Protocol):
    """Puts one envelope on every queue that takes its type."""

    def send(self, message_type: str, envelope: dict[str, object]) -> None: ...


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
        sent = []
        with self._engine.begin() as connection:
            for position, message_type, envelope in store.claim_unsent(connection, BATCH):
                if not self._send(message_type, envelope):
                    break
                sent.append(position)
            if sent:
                store.mark_sent(connection, sent)
                relay_sent.inc(len(sent))
        return self.broker_error is None and (assigned == BATCH or len(sent) == BATCH)

    def _send(self, message_type: str, envelope: dict[str, object]) -> bool:
        try:
            with span(f"send {message_type}", "producer", parent=str(envelope.get("traceparent", ""))):
                self._sender.send(message_type, envelope)
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
