"""What every request needs: the wiring, the caller, checked ids, and refusals with their status."""

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, FastAPI, Query, Request
from sqlalchemy import Engine

from services.tickets.errors import (
    FieldInvalid,
    KeyReused,
    NotAllowed,
    NotFoundHere,
    OrderRefused,
    OwnerUnreachable,
    TicketsError,
)
from services.tickets.owners import Owners
from shared.auth import Authenticator, Principal
from shared.http import Conflict, DependencyDown, Forbidden, Invalid, NotFound, Refusal

_REFUSALS: dict[type[TicketsError], type[Refusal]] = {
    NotFoundHere: NotFound,
    NotAllowed: Forbidden,
    OrderRefused: Conflict,
    KeyReused: Conflict,
    OwnerUnreachable: DependencyDown,
}


@dataclass(frozen=True, slots=True)
class Wiring:
    """What bootstrap hands to the API."""

    engine: Engine
    authenticator: Authenticator
    owners: Owners
    service_token: str


def install_refusals(app: FastAPI) -> None:
    """Gives errors of this service their status."""

    def refuse(request: Request, error: Exception) -> Any:
        if isinstance(error, FieldInvalid):
            refusal: Refusal = Invalid.field(error.field, error.problem)
        else:
            assert isinstance(error, TicketsError), "registered for these only"
            refusal = _REFUSALS[type(error)](str(error))
        return request.app.exception_handlers[Refusal](request, refusal)

    app.add_exception_handler(TicketsError, refuse)


def _wiring(request: Request) -> Wiring:
    wiring: Wiring = request.app.state.wiring
    return wiring


def _caller(request: Request) -> Principal:
    return _wiring(request).authenticator.required(request)


def _uuid(value: str) -> str:
    try:
        return str(UUID(value))
    except ValueError:
        raise NotFound("There is nothing with this id.") from None


def _ticket_id(ticket_id: str) -> str:
    return _uuid(ticket_id)


def _order_id(order_id: str) -> str:
    return _uuid(order_id)


Wired = Annotated[Wiring, Depends(_wiring)]
Caller = Annotated[Principal, Depends(_caller)]
TicketId = Annotated[str, Depends(_ticket_id)]
OrderId = Annotated[str, Depends(_order_id)]
Page = Annotated[int, Query(ge=1, le=10**6)]
PageSize = Annotated[int, Query(ge=1, le=100)]
