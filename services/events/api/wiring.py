"""What every request needs: the wiring, the caller, a transaction, and refusals with their status."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from sqlalchemy import Connection, Engine

from services.events.errors import AccountsAway, EventNotFound, EventsError, FieldInvalid, NotAllowed
from shared.auth import Authenticator, Principal
from shared.http import DependencyDown, Forbidden, Invalid, NotFound, Owner, Refusal

REFUSALS: dict[type[EventsError], type[Refusal]] = {
    EventNotFound: NotFound,
    NotAllowed: Forbidden,
    FieldInvalid: Invalid,
    AccountsAway: DependencyDown,
}


@dataclass(frozen=True, slots=True)
class Wiring:
    """What bootstrap hands to the API."""

    engine: Engine
    authenticator: Authenticator
    accounts: Owner
    service_token: str
    default_zone: str

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """The request's one transaction, committed at its end."""
        with refusals(), self.engine.begin() as connection:
            yield connection


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


def _wiring(request: Request) -> Wiring:
    wiring: Wiring = request.app.state.wiring
    return wiring


def _required(request: Request) -> Principal:
    return _wiring(request).authenticator.required(request)


def _optional(request: Request) -> Principal | None:
    return _wiring(request).authenticator.optional(request)


def _event_id(event_id: str) -> str:
    try:
        return str(UUID(event_id))
    except ValueError:
        raise NotFound("There is no such event.") from None


Wired = Annotated[Wiring, Depends(_wiring)]
Caller = Annotated[Principal, Depends(_required)]
Visitor = Annotated[Principal | None, Depends(_optional)]
EventId = Annotated[str, Depends(_event_id)]
