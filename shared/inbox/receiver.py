"""Takes messages in: once each, whatever the queue does, and the bad ones into the dead letters."""

import json
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from psycopg2.errors import DeadlockDetected
from pydantic import BaseModel
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DataError, IntegrityError, OperationalError

from shared.inbox import store, watch
from shared.messages import Envelope, MessageRefused, parse, read_envelope

# Applies the typed data of a message in the receiver's transaction.
Handler = Callable[[Connection, Any, Envelope], None]
# Applies many, with the effect of their handlers called one after the other.
BatchHandler = Callable[[Connection, Sequence[tuple[Any, Envelope]]], None]
# Messages, and whether each was new.
Noted = list[tuple[Envelope, bool]]
_DEADLOCK_TRIES = 5
T = TypeVar("T")


class Receiver:
    """The door behind which a service's handlers live: `handlers` maps a message type to its handler.

    `take_all` is for a service that has a faster way for many messages; else they go one by one.
    """

    def __init__(
        self,
        engine: Engine,
        handlers: Mapping[str, Handler],
        on_gap: Callable[[], None] | None = None,
        take_all: BatchHandler | None = None,
    ) -> None:
        self._engine = engine
        self._handlers = handlers
        self._on_gap = on_gap or (lambda: None)
        self._take_all = take_all or self._take_each
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
                fresh, complete = self._transact(
                    lambda connection: (
                        self._apply(connection, envelope, data),
                        self._step(connection, envelope),
                    )
                )
                watch.taken(envelope, fresh)
        except (MessageRefused, DataError, IntegrityError) as error:
            self.bury(body, _reason(error))
            return
        if not complete:
            self._on_gap()

    def receive_many(self, bodies: Sequence[object]) -> None:
        """Takes what the queue has at hand in one transaction; as receive() for each of them."""
        good, bad = self._sort(bodies)

        def work(connection: Connection) -> tuple[Noted, bool]:
            noted = self._apply_all(connection, good, bad)
            steps = [
                store.advance_cursor_over(connection, *place, ids) for place, ids in _places(good).items()
            ]
            return noted, all(steps)

        try:
            noted, complete = self._transact(work)
        except (DataError, IntegrityError, OperationalError) as error:
            if isinstance(error, OperationalError) and not isinstance(error.orig, DeadlockDetected):
                raise
            # Nothing of it was taken; now each message for itself, to find the bad ones, or with few locks.
            for body in bodies:
                self.receive(body)
            return
        _tell(noted, [why for _, why in bad])
        if not complete:
            self._on_gap()

    def receive_batch(self, source: str, epoch: str, envelopes: Sequence[dict[str, Any]], head: int) -> None:
        """Takes a stretch of a publisher's feed in one transaction and moves the cursor to `head`."""
        good, bad = self._sort(envelopes)

        def work(connection: Connection) -> Noted:
            noted = self._apply_all(connection, good, bad)
            store.move_cursor(connection, source, epoch, head, _last_id(envelopes))
            return noted

        try:
            noted = self._transact(work)
        except (DataError, IntegrityError):
            self._take_one_by_one(source, epoch, envelopes, head)
        else:
            _tell(noted, [why for _, why in bad])

    def _sort(
        self, bodies: Sequence[object]
    ) -> tuple[list[tuple[Envelope, BaseModel]], list[tuple[object, str]]]:
        """The readable messages, and the others with their reasons."""
        good, bad = [], []
        for body in bodies:
            try:
                envelope = read_envelope(body)
                good.append((envelope, self._parse(envelope)))
            except MessageRefused as error:
                bad.append((body, str(error)))
        return good, bad

    def _transact(self, work: Callable[[Connection], T]) -> T:
        """Does the work in a transaction of its own, again if another process's got into its way."""
        for left in reversed(range(_DEADLOCK_TRIES)):
            try:
                with self._one_at_a_time, self._engine.begin() as connection:
                    return work(connection)
            except OperationalError as error:
                if not isinstance(error.orig, DeadlockDetected) or not left:
                    raise
                watch.deadlocked(left)
                time.sleep(random.uniform(0.01, 0.1))
        raise AssertionError("the last try returned or raised")

    def _apply_all(
        self,
        connection: Connection,
        good: Sequence[tuple[Envelope, BaseModel]],
        bad: Sequence[tuple[object, str]],
    ) -> Noted:
        """Each readable message, and whether it was new."""
        fresh = store.note_all(connection, [(envelope.source, envelope.id) for envelope, _ in good])
        new, noted = [], []
        for envelope, data in good:
            key = (envelope.source, envelope.id)
            noted.append((envelope, key in fresh))
            if key in fresh:
                fresh.discard(key)
                new.append((data, envelope))
        self._take_all(connection, new)
        for body, why in bad:
            store.bury(connection, _as_text(body), why)
        return noted

    def _take_each(self, connection: Connection, messages: Sequence[tuple[Any, Envelope]]) -> None:
        for data, envelope in messages:
            with watch.applying(envelope):
                self._handlers[envelope.type](connection, data, envelope)

    def _take_one_by_one(
        self, source: str, epoch: str, envelopes: Sequence[dict[str, Any]], head: int
    ) -> None:
        taken: Noted = []
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
        _tell(taken, refused)

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


def _tell(noted: Noted, refused: Sequence[str]) -> None:
    """Counts and logs what was taken; when it is committed."""
    for envelope, fresh in noted:
        watch.taken(envelope, fresh)
    for why in refused:
        watch.buried(why)


def _places(good: Sequence[tuple[Envelope, BaseModel]]) -> dict[tuple[str, str], dict[int, str]]:
    """(source, epoch) -> feed position -> the id of the message there."""
    places: dict[tuple[str, str], dict[int, str]] = {}
    for envelope, _ in good:
        if envelope.feedposition is not None and envelope.feedepoch is not None:
            here = places.setdefault((envelope.source, envelope.feedepoch), {})
            here[envelope.feedposition] = envelope.id
    return places


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
