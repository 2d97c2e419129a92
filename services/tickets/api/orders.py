"""The public calls on registrations."""

from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated

from fastapi import APIRouter, Header
from sqlalchemy import Connection

from services.tickets import handlers, store
from services.tickets.api.wiring import Caller, OrderId, Page, PageSize, Wired
from services.tickets.errors import FieldInvalid, KeyReused
from services.tickets.shapes import NewOrder, OrderBody, OrderChange, OrderPage
from shared.auth import Principal
from shared.http import page_of

router = APIRouter(prefix="/api/registrations", tags=["registrations"])
PATH = "/api/registrations"


@router.post("", status_code=201)
def create_order(
    body: NewOrder,
    caller: Caller,
    wired: Wired,
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
) -> OrderBody:
    """Orders one ticket, for oneself; staff for anyone. With an Idempotency-Key it happens once."""
    holder_id = body.user_id or caller.id
    if wired.owners.find_user(holder_id) is None:
        raise FieldInvalid("user_id", "there is no such user")
    with wired.engine.begin() as connection:
        if not idempotency_key:
            return _order(connection, body, holder_id, caller)
        return _order_once(connection, idempotency_key, body, holder_id, caller)


def _order(connection: Connection, body: NewOrder, holder_id: str, caller: Principal) -> OrderBody:
    now = datetime.now(UTC)
    return OrderBody.of(handlers.place_order(connection, body.ticket_id, holder_id, caller, now))


def _order_once(
    connection: Connection, key: str, body: NewOrder, holder_id: str, caller: Principal
) -> OrderBody:
    request = sha256(body.model_dump_json().encode()).hexdigest()
    known = store.begin_key(connection, caller.id, PATH, key, request)
    if known is None:
        answer = _order(connection, body, holder_id, caller)
        store.finish_key(connection, caller.id, PATH, key, answer.model_dump())
        return answer
    if known.request != request:
        raise KeyReused("This Idempotency-Key was used with another request.")
    return OrderBody.model_validate(known.answer)


@router.get("")
def list_orders(caller: Caller, wired: Wired, page: Page = 1, page_size: PageSize = 20) -> OrderPage:
    """All registrations for admins, else one's own and, for organizers, those of their events."""
    user_id = None if caller.is_admin else caller.id
    organizer_id = caller.id if caller.is_organizer else None
    with wired.engine.connect() as connection:
        orders, total = store.list_orders(connection, user_id, organizer_id, page, page_size)
    registrations = [OrderBody.of(order) for order in orders]
    return OrderPage(registrations=registrations, pagination=page_of(page, page_size, total))


@router.get("/{order_id}")
def get_order(order_id: OrderId, caller: Caller, wired: Wired) -> OrderBody:
    """One registration, for its holder and staff."""
    with wired.engine.connect() as connection:
        return OrderBody.of(handlers.get_order(connection, order_id, caller))


@router.put("/{order_id}")
@router.patch("/{order_id}")
def change_order(order_id: OrderId, body: OrderChange, caller: Caller, wired: Wired) -> OrderBody:
    """Changes the status: staff to registered, checked_in or cancelled, a holder to cancelled."""
    with wired.engine.begin() as connection:
        if body.status is None:
            return OrderBody.of(handlers.get_order(connection, order_id, caller))
        status = body.status.strip().lower()
        return OrderBody.of(handlers.change_order(connection, order_id, status, caller))


@router.delete("/{order_id}", status_code=204)
def delete_order(order_id: OrderId, caller: Caller, wired: Wired) -> None:
    """Cancels a registration and forgets it; its seat is free again."""
    with wired.engine.begin() as connection:
        handlers.delete_order(connection, order_id, caller)
