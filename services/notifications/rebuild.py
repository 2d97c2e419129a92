"""Rebuilds the projections from their owners while the system runs.

A row that says what its owner says is left alone. Another one is put right and then goes through the handler
of its message, so that schedules and deliveries follow; nobody is mailed for it. What the owners deleted is
taken from their feeds, so what came by injection alone stays. Messages that come meanwhile are applied by
the consumer as ever: a row of another version than its owner's is left to it, and looked at again at the end.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import sqlalchemy as sa
import stamina
import structlog

from services.notifications import drift
from services.notifications.drift import Item
from shared.database import is_transient
from shared.inbox import Handler
from shared.inbox import store as inbox
from shared.messages import Envelope, parse
from shared.outbox.relay import POLL_SECONDS

log = structlog.get_logger(__name__)

# Users and events before the tickets that name them.
OWNED = {"users": "/accounts", "events": "/events", "tickets": "/tickets"}
_GONE = {"user.deleted": "users", "event.deleted": "events", "ticket.cancelled": "tickets"}


@dataclass
class Report:
    """How many rows of each kind were looked at, and how many were put right."""

    seen: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OWNED, 0))
    mended: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OWNED, 0))


class Rebuild:
    """`owners` maps a source (`/tickets`) to a client of that service with the service token; the consumer
    has `patience` seconds to catch up before the last look.
    """

    def __init__(
        self,
        engine: sa.Engine,
        owners: Mapping[str, httpx.Client],
        handlers: Mapping[str, Handler],
        page_size: int = 500,
        patience: float = 15.0,
    ) -> None:
        self._engine = engine
        self._owners = owners
        self._handlers = handlers
        self._page_size = page_size
        self._patience = patience
        # (kind, id) -> (version here, version at its owner), where they were not the same.
        self._moving: dict[tuple[str, str], tuple[int | None, int]] = {}
        self.report = Report()

    def run(self) -> Report:
        """Returns when everything was looked at; raises httpx.HTTPError when an owner stays away."""
        for kind in OWNED:
            for items in self._pages(kind):
                self.report.seen[kind] += len(items)
                self._mend(kind, items)
        if self._moving:
            self._wait_for_consumer()
        for kind in [kind for kind in OWNED if any(kind == moving for moving, _ in self._moving)]:
            for items in self._pages(kind):
                self._mend(kind, [item for item in items if (kind, item.id) in self._moving], last_look=True)
        for source in self._owners:
            for envelope in self._gone(source):
                self._remove(envelope)
        return self.report

    def _pages(self, kind: str) -> Iterator[list[Item]]:
        after: str | None = ""
        while after is not None:
            query = {"after": after, "limit": self._page_size}
            page = self._ask(OWNED[kind], f"/internal/snapshot/{kind}", query)
            yield [drift.read_item(kind, item) for item in page["items"]]
            after = page["next"]

    def _gone(self, source: str) -> Iterator[Envelope]:
        position = 0
        while True:
            page = self._ask(source, "/internal/feed", {"after": position, "limit": 500})
            for message in page["messages"]:
                if message["type"] in _GONE:
                    yield Envelope.model_validate(message)
            if not page["messages"]:
                return
            position = page["messages"][-1]["feedposition"]

    @stamina.retry(on=httpx.HTTPError, attempts=8, timeout=60)
    def _ask(self, source: str, path: str, query: dict[str, Any]) -> dict[str, Any]:
        return self._owners[source].get(path, params=query).raise_for_status().json()

    @stamina.retry(on=is_transient, attempts=5, timeout=60)
    def _mend(self, kind: str, items: list[Item], last_look: bool = False) -> None:
        mended = []
        with self._engine.begin() as connection:
            found = drift.lock_rows(connection, kind, [item.id for item in items])
            for item in items:
                row = found.get(item.id)
                if drift.agrees(kind, row, item) or self._moves(kind, row, item, last_look):
                    continue
                drift.put_right(connection, kind, row, item)
                self._apply(connection, item.envelope)
                drift.keep_history(connection, kind, row, item)
                mended.append(item.id)
        self._count(kind, mended)

    def _moves(self, kind: str, row: sa.Row | None, item: Item, last_look: bool) -> bool:
        """Whether a message is on its way that makes row and owner agree: then it is left to that message,
        which also tells people what they should be told.
        """
        versions = (row.sequence if row is not None else None), item.version
        if versions[0] == versions[1]:
            return False
        if last_look:
            return self._moving[kind, item.id] != versions
        self._moving[kind, item.id] = versions
        return True

    def _wait_for_consumer(self) -> None:
        """Returns when the consumer has taken in what the owners had published by now, or does not do it."""
        pause = threading.Event()
        # What was committed a moment ago gets its position from the relay first.
        pause.wait(min(self._patience, POLL_SECONDS + 0.5))
        newest = {"after": 2**62, "limit": 1}
        heads = {source: self._ask(source, "/internal/feed", newest) for source in self._owners}
        deadline = time.monotonic() + self._patience
        while time.monotonic() < deadline and not all(map(self._has_read, heads, heads.values())):
            pause.wait(0.1)

    def _has_read(self, source: str, page: dict[str, Any]) -> bool:
        with self._engine.connect() as connection:
            cursor = inbox.cursor_of(connection, source)
        return cursor.epoch == page["epoch"] and cursor.position >= page["head"]

    @stamina.retry(on=is_transient, attempts=5, timeout=60)
    def _remove(self, envelope: Envelope) -> None:
        kind, of = _GONE[envelope.type], envelope.data.get("id") or envelope.data.get("ticket_id")
        with self._engine.begin() as connection:
            row = drift.lock_rows(connection, kind, [str(of)]).get(str(of))
            if row is None or drift.is_gone(kind, row) or row.sequence > envelope.sequence:
                return
            drift.forget_version(connection, kind, row.id)
            self._apply(connection, envelope)
        self._count(kind, [str(of)])

    def _apply(self, connection: sa.Connection, envelope: Envelope) -> None:
        self._handlers[envelope.type](connection, parse(envelope), envelope)

    def _count(self, kind: str, ids: list[str]) -> None:
        self.report.mended[kind] += len(ids)
        for id_ in ids:
            log.info("rebuild.mended", kind=kind, id=id_)
