"""What every request needs: the wiring, the caller, checked ids, pages, and refusals with their status."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, FastAPI, Query, Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Engine

from services.tickets.api.desk import Desk
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
from services.tickets.store.pages import Wanted
from shared.auth import Authenticator, BearerNeeded, BearerTaken, Principal
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
    """What bootstrap hands to the API. `hold` is how long a seat waits for its payment, None for ever."""

    engine: Engine
    authenticator: Authenticator
    owners: Owners
    desk: Desk
    service_token: str
    hold: timedelta | None = None


def install_refusals(app: FastAPI) -> None:
    """Gives errors of this service their status."""

    def refuse(request: Request, error: Exception) -> Any:
        assert isinstance(error, TicketsError), "registered for these only"
        return request.app.exception_handlers[Refusal](request, refusal_of(error))

    app.add_exception_handler(TicketsError, refuse)


def refusal_of(error: TicketsError) -> Refusal:
    """The answer that an error means."""
    if isinstance(error, FieldInvalid):
        return Invalid.field(error.field, error.problem)
    kind = next(kind for kind in type(error).__mro__ if kind in _REFUSALS)
    return _REFUSALS[kind](str(error))


def _wiring(request: Request) -> Wiring:
    wiring: Wiring = request.app.state.wiring
    return wiring


# Async where nothing blocks: FastAPI would call each of them in a thread of its own otherwise.
async def _wired(request: Request) -> Wiring:
    return _wiring(request)


async def _caller(request: Request, _: BearerNeeded) -> Principal:
    authenticator = _wiring(request).authenticator
    known = authenticator.recall(request)
    return await run_in_threadpool(authenticator.required, request) if known is None else known


async def _visitor(request: Request, _: BearerTaken) -> Principal | None:
    authenticator = _wiring(request).authenticator
    known = authenticator.recall(request)
    return await run_in_threadpool(authenticator.optional, request) if known is None else known


def _uuid(value: str) -> str:
    try:
        return str(UUID(value))
    except ValueError:
        raise NotFound("There is nothing with this id.") from None


async def _ticket_id(ticket_id: UUID) -> str:
    return str(ticket_id)


async def _order_id(order_id: str) -> str:
    return _uuid(order_id)


async def _payment_id(payment_id: str) -> str:
    return _uuid(payment_id)


async def _page(
    page: Annotated[int, Query(ge=1, le=10**6)] = 1,
    page_size: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[
        str | None,
        Query(max_length=500, description='`next_cursor` of the page before; "" for the first page.'),
    ] = None,
) -> Wanted:
    return Wanted(page, page_size, cursor)


Wired = Annotated[Wiring, Depends(_wired)]
Caller = Annotated[Principal, Depends(_caller)]
Visitor = Annotated[Principal | None, Depends(_visitor)]
TicketId = Annotated[str, Depends(_ticket_id)]
OrderId = Annotated[str, Depends(_order_id)]
PaymentId = Annotated[str, Depends(_payment_id)]
PageWanted = Annotated[Wanted, Depends(_page)]
