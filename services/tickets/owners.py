"""Projection first, then the owner once over HTTP; no transaction is open meanwhile."""

import threading
import time
from dataclasses import dataclass, field
from typing import TypeVar

import structlog
from pydantic import ValidationError
from sqlalchemy import Engine

from services.tickets import projections
from services.tickets.errors import EventUnknown, HolderUnknown, NotOnSale, OwnerUnreachable, TicketsError
from services.tickets.model import Event, User
from shared.http import Owner, OwnerAway
from shared.messages.catalogue import EventData, UserData

log = structlog.get_logger(__name__)
Data = TypeVar("Data", EventData, UserData)

# What a copy says against a sale is asked about again, but no more than this often for one event.
_PAUSE_SECONDS = 1.0
_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class Owners:
    """Who is asked about what we have no copy of."""

    engine: Engine
    accounts: Owner
    events: Owner
    _asked: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find_event(self, event_id: str) -> Event | None:
        """An event; None if it is nowhere or deleted."""
        with self.engine.connect() as connection:
            event = projections.find_event(connection, event_id)
        if event is None:
            event = self._ask_event(event_id)
        return None if event is None or event.deleted else event

    def find_user(self, user_id: str) -> User | None:
        """A person; None if he is nowhere or deleted."""
        with self.engine.connect() as connection:
            user = projections.find_user(connection, user_id)
        if user is None and (data := _ask(self.accounts, f"users/{user_id}", UserData)) is not None:
            with self.engine.begin() as connection:
                projections.apply_user(connection, data, data.version)
                user = projections.find_user(connection, user_id)
        return None if user is None or user.deleted else user

    def renew_event(self, event_id: str) -> Event | None:
        """The event as its owner has it now; None if he was just asked, is away, or has none."""
        now = time.monotonic()
        with self._lock:
            if now - self._asked.get(event_id, -_PAUSE_SECONDS) < _PAUSE_SECONDS:
                return None
            if len(self._asked) >= _REMEMBERED:
                self._asked.clear()
            self._asked[event_id] = now
        try:
            return self._ask_event(event_id)
        except OwnerUnreachable:
            return None

    def learn(self, missing: TicketsError) -> bool:
        """Whether the owner knew something that this refusal did not; then it is worth another try."""
        match missing:
            case HolderUnknown():
                return self.find_user(missing.user_id) is not None
            case EventUnknown():
                return self.find_event(missing.event_id) is not None
            case NotOnSale():
                return self.renew_event(missing.event_id) is not None
        return False

    def close(self) -> None:
        """Closes the connections to both."""
        self.accounts.close()
        self.events.close()

    def _ask_event(self, event_id: str) -> Event | None:
        data = _ask(self.events, f"events/{event_id}", EventData)
        if data is None:
            return None
        with self.engine.begin() as connection:
            projections.apply_event(connection, data, data.version)
            return projections.find_event(connection, event_id)


def _ask(owner: Owner, path: str, shape: type[Data]) -> Data | None:
    try:
        found = owner.find(path)
        return None if found is None else shape.model_validate(found)
    except (OwnerAway, ValidationError) as error:
        log.warning("owner.away", path=path, error=f"{type(error).__name__}: {error}")
        raise OwnerUnreachable("Another service has to be asked about this and cannot be now.") from None
