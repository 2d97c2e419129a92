"""Messages in stretches: what the queue has at hand goes to the receiver together.

A Celery task costs about 1.7 ms before its first line, and a transaction for each message a commit. So a task
message that carries an envelope brings along those that wait behind it: one transaction, then one
acknowledgement. Kill the process anywhere in between and all of them come again; the inbox knows them.
"""

import time
from dataclasses import dataclass, field
from typing import Any

import structlog
from celery import Celery
from kombu.exceptions import KombuError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.broker.transport import as_kombu_message
from shared.broker.worker import DATABASE_PAUSE_SECONDS, envelope_argument
from shared.messages import MessageRefused

log = structlog.get_logger(__name__)

LONGEST = 200


@dataclass(slots=True)
class Stretch:
    """Envelopes with the queue items they came in; `others` are messages that a Celery task must see."""

    envelopes: list[object] = field(default_factory=list)
    items: list[bytes] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    others: list[dict[str, Any]] = field(default_factory=list)


def envelope_of(app: Celery, message: Any) -> object | None:
    """The envelope in a task message of a message type that may be taken past Celery; None for others."""
    headers = message.headers
    if not isinstance(headers, dict) or headers.get("task") not in app.message_types or "id" not in headers:
        return None
    if headers.get("eta") or headers.get("expires"):
        return None
    try:
        args, kwargs, _ = message.decode()
        return envelope_argument(tuple(args), kwargs)
    except (KombuError, MessageRefused, ValueError, TypeError, LookupError, AttributeError):
        return None  # Celery's own way ends in a dead letter with the reason


def take_stretch(app: Celery, message: Any, envelope: object) -> None:
    """Gives a message and what waits behind it to the receiver; with the database away all go back."""
    channel, queue = message.channel, message.delivery_info["routing_key"]
    stretch = _gather(app, message, queue)
    try:
        app.receiver.receive_many([envelope, *stretch.envelopes])
    except (DBAPIError, PoolTimeout) as error:
        log.warning("message.database_away", error=str(error).strip())
        if stretch.items:
            channel.put_back(queue, stretch.items, stretch.tags)
        message.requeue()
        time.sleep(DATABASE_PAUSE_SECONDS)
    else:
        if stretch.tags:
            channel.settle(stretch.tags)
        message.ack()
    for other in stretch.others:
        channel.connection._deliver(other, queue)


def _gather(app: Celery, first: Any, queue: str) -> Stretch:
    stretch = Stretch()
    for item in first.channel.take_at_hand(queue, LONGEST - 1):
        raw = as_kombu_message(item, queue)
        message = first.channel.Message(raw, channel=first.channel, accept=first.accept)
        envelope = envelope_of(app, message)
        if envelope is None:
            stretch.others.append(raw)
        else:
            stretch.envelopes.append(envelope)
            stretch.items.append(item)
            stretch.tags.append(message.delivery_tag)
    return stretch
