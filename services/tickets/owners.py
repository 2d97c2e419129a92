"""Projection first, then the owner once over HTTP; no transaction is open meanwhile."""

from dataclasses import dataclass
from typing import TypeVar

import structlog
from pydantic import ValidationError
from sqlalchemy import Engine

from services.tickets import projections
from services.tickets.errors import OwnerUnreachable
from services.tickets.model import Event, User
from shared.http import Owner, OwnerAway
from shared.messages.catalogue import EventData, UserData

log = structlog.get_logger(__name__)
Data = TypeVar("Data", EventData, UserData)


@dataclass(frozen=True, slots=True)
class Owners:
    """Who is asked about what we have no copy of."""

    engine: Engine
    accounts: Owner
    events: Owner

    def find_event(self, event_id: str) -> Event | None:
        """An event; None if it is nowhere or deleted."""
        with self.engine.connect() as connection:
            event = projections.find_event(connection, event_id)
        if event is None and (data := _ask(self.events, f"events/{event_id}", EventData)) is not None:
            with self.engine.begin() as connection:
                projections.apply_event(connection, data, data.version)
                event = projections.find_event(connection, event_id)
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

    def close(self) -> None:
        """Closes the connections to both."""
        self.accounts.close()
        self.events.close()


def _ask(owner: Owner, path: str, shape: type[Data]) -> Data | None:
    try:
        found = owner.find(path)
        return None if found is None else shape.model_validate(found)
    except (OwnerAway, ValidationError) as error:
        log.warning("owner.away", path=path, error=f"{type(error).__name__}: {error}")
        raise OwnerUnreachable("Another service has to be asked about this and cannot be now.") from None
