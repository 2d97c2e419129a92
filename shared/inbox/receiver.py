"""Takes messages in: once each, whatever the queue does, and the bad ones into the dead letters."""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DataError, IntegrityError

from shared.inbox import store, watch
from shared.messages import Envelope, MessageRefused, parse, read_envelope

# Applies the typed data of a message in the receiver's transaction.
Handler = Callable[[Connection, Any, Envelope], None]


class Receiver:
    """The door behind which a service's handlers live: `handlers` maps a message type to its handler."""

    def __init__(
        self, engine: Engine, handlers: Mapping[str, Handler], on_gap: Callable[[], None] | None = None
    ) -> None:
        self._engine = engine
        self._handlers = handlers
        self._on_gap = on_gap or (lambda: None)
        # Queue and feed bring the same facts at the same time: two transactions would lock each other.
        self._one_at_a_time = threading.Lock()

    def receive(self, body: object) -> None:
        """Takes one decoded message body; a bad one becomes a dead letter.

        Raises what the database raises when it is away: then nothing was taken and the same call may be
        made again.
        """
        try:
            envelope = read_envelope(body)
            with watch.applying(envelope):
                data = self._parse(envelope)
                with self._one_at_a_time, self._engine.begin() as connection:
                    fresh = self._apply(connection, envelope, data)
                    complete = self._step(connection, envelope)
                watch.taken(envelope, fresh)
        except (MessageRefused, DataError, IntegrityError) as error:
            self.bury(body, _reason(error))
            return
        if not complete:
            self._on_gap()

    def receive_batch(self, source: str, epoch: str, envelopes: Sequence[dict[str, Any]], head: int) -> None:
        """Takes a stretch of a publisher's feed in one transaction and moves the cursor to `head`."""
        try:
            self._take_smooth_batch(source, epoch, envelopes, head)
        except (DataError, IntegrityError):
            # Nothing of it was taken; now each message for itself, to find the bad ones.
            self._take_one_by_one(source, epoch, envelopes, head)

    def _take_smooth_batch(
        self, source: str, epoch: str, envelopes: Sequence[dict[str, Any]], head: int
    ) -> None:
        noted: list[tuple[Envelope, bool]] = []
        with self._one_at_a_time, self._engine.begin() as connection:
            taken, refused = self._read_all(envelopes)
            fresh = store.note_all(connection, [(e.source, e.id) for e, _ in taken])
            for envelope, data in taken:
                key = (envelope.source, envelope.id)
                noted.append((envelope, key in fresh))
                if key in fresh:
                    fresh.discard(key)
                    with watch.applying(envelope):
                        self._handlers[envelope.type](connection, data, envelope)
            for body, why in refused:
                store.bury(connection, _as_text(body), why)
            store.move_cursor(connection, source, epoch, head, _last_id(envelopes))
        for envelope, new in noted:
            watch.taken(envelope, new)
        for _, why in refused:
            watch.buried(why)

    def _read_all(
        self, envelopes: Sequence[dict[str, Any]]
    ) -> tuple[list[tuple[Envelope, BaseModel]], list[tuple[dict[str, Any], str]]]:
        taken, refused = [], []
        for body in envelopes:
            try:
                envelope = read_envelope(body)
                taken.append((envelope, self._parse(envelope)))
            except MessageRefused as error:
                refused.append((body, str(error)))
        return taken, refused

    def _take_one_by_one(
        self, source: str, epoch: str, envelopes: Sequence[dict[str, Any]], head: int
    ) -> None:
        taken: list[tuple[Envelope, bool]] = []
        refused: list[str] = []
        with self._one_at_a_time, self._engine.begin() as connection:
            for body in envelopes:
                try:
                    envelope = read_envelope(body)
                    with watch.applying(envelope), connection.begin_nested():
                        taken.append((envelope, self._apply(connection, envelope, self._parse(envelope))))
                except (MessageRefused, DataError, IntegrityError) as error:
                    refused.append(_reason(error))
                    store.bury(connection, _as_text(body), _reason(error))
            store.move_cursor(connection, source, epoch, head, _last_id(envelopes))
        for envelope, fresh in taken:
            watch.taken(envelope, fresh)
        for why in refused:
            watch.buried(why)

    def bury(self, body: object, reason: str) -> None:
        """Keeps what cannot be taken as a dead letter."""
        watch.buried(reason)
        with self._engine.begin() as connection:
            store.bury(connection, _as_text(body), reason)

    def _parse(self, envelope: Envelope) -> BaseModel:
        if envelope.type not in self._handlers:
            raise MessageRefused(f"unknown message type {envelope.type!r}")
        return parse(envelope)

    def _apply(self, connection: Connection, envelope: Envelope, data: BaseModel) -> bool:
        """Whether the message was new, and so had its effect."""
        fresh = store.note(connection, envelope.source, envelope.id)
        if fresh:
            self._handlers[envelope.type](connection, data, envelope)
        return fresh

    def _step(self, connection: Connection, envelope: Envelope) -> bool:
        if envelope.feedposition is None or envelope.feedepoch is None:
            return True
        place = envelope.feedepoch, envelope.feedposition
        return store.advance_cursor(connection, envelope.source, *place, envelope.id)


def _last_id(envelopes: Sequence[dict[str, Any]]) -> str:
    return str(envelopes[-1].get("id", "")) if envelopes else ""


def _reason(error: Exception) -> str:
    if isinstance(error, DataError | IntegrityError):
        return f"the database refused it: {str(error.orig).strip()}"
    return str(error)


def _as_text(body: object) -> str:
    if isinstance(body, bytes):
        return body.decode("utf-8", "backslashreplace")
    if isinstance(body, str):
        return body
    return json.dumps(body, ensure_ascii=False, sort_keys=True, default=repr)
