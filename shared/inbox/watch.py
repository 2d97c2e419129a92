"""What is seen of a message while it is taken in: log lines with its ids, and numbers."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from shared.logging import REQUEST_ID
from shared.messages import SHAPES, Envelope
from shared.metrics.instruments import dead_letters, inbox_messages
from shared.tracing import span

log = structlog.get_logger(__name__)


@contextmanager
def handling(envelope: Envelope) -> Iterator[None]:
    """Every log line of a handler names the message, the request that caused it, and the event."""
    with structlog.contextvars.bound_contextvars(**_ids(envelope)):
        yield


def _ids(envelope: Envelope) -> dict[str, str]:
    ids = {"message_id": envelope.id, REQUEST_ID: envelope.requestid, "event_id": event_of(envelope)}
    return {name: id_ for name, id_ in ids.items() if id_}


@contextmanager
def applying(envelope: Envelope) -> Iterator[None]:
    """As handling, in a span of the trace that the message carries."""
    name = f"take {envelope.type}" if envelope.type in SHAPES else "take"
    with handling(envelope), span(name, "consumer", envelope.traceparent, message_id=envelope.id):
        yield


def event_of(envelope: Envelope) -> str | None:
    """The event that a message is about, if it is about one."""
    data = envelope.data
    event = data.get("event")
    found = data.get("id") if envelope.type.startswith("event.") else data.get("event_id")
    if isinstance(event, dict):
        found = event.get("id")
    return found if isinstance(found, str) else None


def taken(envelope: Envelope, fresh: bool) -> None:
    """A message was taken in; call it when that is committed."""
    outcome = "applied" if fresh else "double"
    inbox_messages.labels(envelope.type if envelope.type in SHAPES else "other", outcome).inc()
    log.info("message.taken", type=envelope.type, outcome=outcome, **_ids(envelope))


def buried(reason: str) -> None:
    """A message could not be taken, and is kept as a dead letter."""
    dead_letters.inc()
    log.warning("message.dead_letter", reason=reason)


def deadlocked(left: int) -> None:
    """Another process's transaction got into the way; it is tried `left` times more."""
    log.info("message.deadlock", left=left)
