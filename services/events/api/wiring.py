"""What every request needs: the wiring, the caller, a transaction, and refusals with their status."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from sqlalchemy import Connection, Engine

from services.events.cache import AnswerCache
from services.events.errors import (
    AccountsAway,
    EventNotFound,
    EventsError,
    FieldInvalid,
    NotAllowed,
    PosterNotFound,
    StorageAway,
    TooManyPosters,
)
from services.events.storage import PosterStorage
from shared.auth import Authenticator, BearerNeeded, BearerTaken, Principal
from shared.http import Conflict, DependencyDown, Forbidden, Invalid, NotFound, Owner, Refusal

REFUSALS: dict[type[EventsError], type[Refusal]] = {
    EventNotFound: NotFound,
    NotAllowed: Forbidden,
    FieldInvalid: Invalid,
    AccountsAway: DependencyDown,
    StorageAway: DependencyDown,
    PosterNotFound: NotFound,
    TooManyPosters: Conflict,
}


@dataclass(frozen=True, slots=True)
class Wiring:
    """What bootstrap hands to the API. `on_gone` is called when posters were dropped."""

    engine: Engine
    authenticator: Authenticator
    accounts: Owner
    service_token: str
    default_zone: str
    default_lead: int
    cache: AnswerCache
    posters: PosterStorage
    on_gone: Callable[[], None]
    # Each upload holds up to half a megabyte; see api/posters.py.
    uploads: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(64))
    decoding: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """The request's one transaction, committed at its end."""
        with refusals(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A transaction that only reads, and reads one state of the database."""
        with refusals(), self.engine.connect() as connection:
            yield connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


@contextmanager
def refusals() -> Iterator[None]:
    """Gives errors of this service their status."""
    try:
        yield
    except EventsError as error:
        raise refusal(error) from error


def refusal(error: EventsError) -> Refusal:
    """The error as an answer."""
    if isinstance(error, FieldInvalid):
        return Invalid.field(error.field, error.problem)
    return REFUSALS[type(error)](str(error))


async def _wiring(request: Request) -> Wiring:
    wiring: Wiring = request.app.state.wiring
    return wiring


def _required(request: Request, _: BearerNeeded) -> Principal:
    wiring: Wiring = request.app.state.wiring
    return wiring.authenticator.required(request)


def _optional(request: Request, _: BearerTaken) -> Principal | None:
    wiring: Wiring = request.app.state.wiring
    return wiring.authenticator.optional(request)


async def _event_id(event_id: UUID) -> str:
    return str(event_id)


Wired = Annotated[Wiring, Depends(_wiring)]
Caller = Annotated[Principal, Depends(_required)]
Visitor = Annotated[Principal | None, Depends(_optional)]
EventId = Annotated[str, Depends(_event_id)]
