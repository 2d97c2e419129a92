"""The public calls on registrations."""

from io import BytesIO

import segno
import structlog
from fastapi import APIRouter, Response
from fastapi.concurrency import run_in_threadpool

from services.tickets import model
from services.tickets.api.keys import Key, once
from services.tickets.api.shapes import NewOrder, OrderBody, OrderPage, OrderPatch
from services.tickets.api.wiring import Caller, OrderId, PageWanted, Wired, Wiring
from services.tickets.errors import FieldInvalid, TicketsError
from services.tickets.handlers import orders as handlers
from services.tickets.handlers.access import get_order
from services.tickets.handlers.selling import OrderRequest, place_orders
from services.tickets.model import Order
from services.tickets.store import orders as store
from shared.auth import Principal
from shared.http import problems
from shared.logging import REQUEST_ID
from shared.tracing import traceparent

router = APIRouter(prefix="/api/registrations", tags=["registrations"])
PATH = "/api/registrations"
_ABSENT = "There is no such registration."
_NOT_YOURS = "Only its holder and staff see a registration."
_SOLD_OUT = "This ticket is sold out."
# Unknown holder, unknown event, an event that was changed a moment ago: each is asked about once.
_ATTEMPTS = 4


@router.post(
    "",
    status_code=201,
    responses=problems(
        403, 404, 409, _403="Only staff of the event order for others.", _404="There is no such ticket.",
        _409=_SOLD_OUT,
    ),
)  # fmt: skip
async def create_order(
    body: NewOrder, caller: Caller, wired: Wired, idempotency_key: Key = None
) -> OrderBody:
    """Orders one ticket, for oneself; staff for anyone. With an Idempotency-Key it happens once.

    409: sold out, not on sale, started, or the key was used with another request.
    """
    request = OrderRequest(
        ticket_type_id=body.ticket_id,
        holder_id=body.user_id or caller.id,
        caller=caller,
        notify=body.notify is not False,
        hold=wired.hold,
        request_id=structlog.contextvars.get_contextvars().get(REQUEST_ID),
        traceparent=traceparent(),
    )
    for attempt in range(_ATTEMPTS):
        try:
            if idempotency_key:
                return await run_in_threadpool(_order_once, wired, body, request, idempotency_key)
            return OrderBody.of(await wired.desk.place(request))
        except TicketsError as refusal:
            if attempt + 1 == _ATTEMPTS or not await run_in_threadpool(wired.owners.learn, refusal):
                raise
    raise AssertionError("the last attempt answers or raises")


def _order_once(wired: Wiring, body: NewOrder, request: OrderRequest, key: str) -> OrderBody:
    with wired.engine.begin() as connection:

        def act() -> OrderBody:
            [result] = place_orders(connection, [request])
            if not isinstance(result, Order):
                raise result
            return OrderBody.of(result)

        return once(connection, request.caller, PATH, key, body, act, OrderBody)


@router.get("")
def list_orders(caller: Caller, wired: Wired, wanted: PageWanted) -> OrderPage:
    """All registrations for admins, else one's own and, for organizers, those of their events."""
    with wired.engine.connect() as connection:
        page = store.list_orders(connection, caller, wanted)
    registrations = [OrderBody.of(order) for order in page.items]
    return OrderPage(registrations=registrations, pagination=page.pagination)


@router.get("/{order_id}", responses=problems(403, 404, _403=_NOT_YOURS, _404=_ABSENT))
def get_registration(order_id: OrderId, caller: Caller, wired: Wired) -> OrderBody:
    """One registration, for its holder and staff."""
    with wired.engine.connect() as connection:
        return OrderBody.of(get_order(connection, order_id, caller))


@router.get(
    "/{order_id}/qr.png",
    response_class=Response,
    responses={
        200: {"description": "The code as a QR picture.", "content": {"image/png": {}}},
        **problems(403, 404, 409, _403=_NOT_YOURS, _404=_ABSENT, _409="This ticket is cancelled."),
    },
)
def get_picture(order_id: OrderId, caller: Caller, wired: Wired) -> Response:
    """The ticket's code as a QR picture, for its holder and staff; 409 when it admits nobody any more."""
    with wired.engine.connect() as connection:
        order = get_order(connection, order_id, caller)
    model.check_admits(order)
    out = BytesIO()
    segno.make(order.code, error="m", micro=False).save(out, kind="png", scale=8, border=4)
    return Response(out.getvalue(), media_type="image/png", headers={"Cache-Control": "private, no-store"})


@router.put("/{order_id}", responses=problems(403, 404, 409, _403=_NOT_YOURS, _404=_ABSENT, _409=_SOLD_OUT))
@router.patch("/{order_id}", responses=problems(403, 404, 409, _403=_NOT_YOURS, _404=_ABSENT, _409=_SOLD_OUT))
def change_order(order_id: OrderId, body: OrderPatch, caller: Caller, wired: Wired) -> OrderBody:
    """Staff give it another status, ticket or holder; a holder may only cancel."""
    if body.user_id is not None:
        _require_person(wired, order_id, body.user_id, caller)
    with wired.engine.begin() as connection:
        return OrderBody.of(handlers.change_order(connection, order_id, body.change(), caller, wired.hold))


def _require_person(wired: Wiring, order_id: str, user_id: str, caller: Principal) -> None:
    """Asks for somebody never told of, before the transaction; the order's own holder is no news."""
    with wired.engine.connect() as connection:
        if get_order(connection, order_id, caller).user_id == user_id:
            return
    if wired.owners.find_user(user_id) is None:
        raise FieldInvalid("user_id", "there is no such user")


@router.delete("/{order_id}", status_code=204, responses=problems(403, 404, _403=_NOT_YOURS, _404=_ABSENT))
def delete_order(order_id: OrderId, caller: Caller, wired: Wired) -> None:
    """Cancels a registration and forgets it; its seat is free again."""
    with wired.engine.begin() as connection:
        handlers.delete_order(connection, order_id, caller)
