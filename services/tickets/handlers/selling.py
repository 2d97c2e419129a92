"""Orders are placed: many in one transaction, each decided for itself (docs/decisions/0006)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

import sqlalchemy as sa

from services.tickets import model, projections
from services.tickets.codes import new_code
from services.tickets.errors import EventUnknown, NotAllowed, NotFoundHere, TicketsError
from services.tickets.handlers import announcements
from services.tickets.handlers.access import get_type, holder_among
from services.tickets.model import Order, User
from services.tickets.store import orders as order_rows
from services.tickets.store import seats
from services.tickets.store.seats import Offer
from shared.auth import Principal
from shared.messages import Message, new_id
from shared.outbox import publish


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """Who wants which ticket for whom. `hold` is how long a seat waits for its payment, None for ever."""

    ticket_type_id: str
    holder_id: str
    caller: Principal
    notify: bool = True
    hold: timedelta | None = None
    request_id: str | None = None
    traceparent: str | None = None


def place_orders(connection: sa.Connection, requests: Sequence[OrderRequest]) -> list[Order | TicketsError]:
    """For each request its order, with seat and message, or why there is none; all become true together.

    The holders' rows are held too: no message tells of a person who was forgotten meanwhile.
    """
    holders = projections.hold_users(connection, {request.holder_id for request in requests})
    offers = seats.lock_offers(connection, {request.ticket_type_id for request in requests})
    taken: Counter[str] = Counter()
    results: list[Order | TicketsError] = []
    messages: list[Message] = []
    for request in requests:
        try:
            order, told = _place(connection, request, holders, offers, taken)
        except TicketsError as error:
            results.append(error)
        else:
            taken.update((order.event_id, order.ticket_type_id))
            results.append(order)
            messages += told
    _store(connection, [result for result in results if isinstance(result, Order)], messages)
    return results


def _place(
    connection: sa.Connection,
    request: OrderRequest,
    holders: dict[str, User],
    offers: dict[str, Offer],
    taken: Counter[str],
) -> tuple[Order, list[Message]]:
    holder = holder_among(holders, request.holder_id)
    offer = offers.get(request.ticket_type_id)
    if offer is None:
        raise _not_offered(connection, request.ticket_type_id)
    event = replace(offer.event, sold=offer.event.sold + taken[offer.event.id])
    kind = replace(offer.kind, sold=offer.kind.sold + taken[offer.kind.id])
    staff = model.is_staff(request.caller, event)
    if holder.id != request.caller.id and not staff:
        raise NotAllowed("Only staff of the event order for others.")
    if not request.notify and not staff:
        raise NotAllowed("Only staff of the event keep the confirmation back.")
    model.check_order(event, kind, staff, offer.now)
    free = kind.price == 0
    order = Order(
        id=new_id(),
        version=1,
        ticket_type_id=kind.id,
        event_id=event.id,
        user_id=holder.id,
        status=model.REGISTERED,
        code=new_code(),
        ordered_at=offer.now,
        hold_until=None if free or request.hold is None else offer.now + request.hold,
    )
    told = [announcements.ordered(order, kind, event, holder, request.notify)]
    if free:
        order = replace(order, paid_at=offer.now, version=2)
        told.append(announcements.paid(order, Decimal(0), announcements.FREE))
    return order, [
        replace(message, request_id=request.request_id, traceparent=request.traceparent) for message in told
    ]


def _not_offered(connection: sa.Connection, type_id: str) -> TicketsError:
    """Why a type is no offer: there is none, or there is no copy of its event."""
    try:
        return EventUnknown(get_type(connection, type_id).event_id)
    except NotFoundHere as error:
        return error


def _store(connection: sa.Connection, placed: Sequence[Order], messages: Sequence[Message]) -> None:
    if placed:
        order_rows.add_orders(connection, placed)
        seats.move_seats(connection, placed, 1)
        publish(connection, announcements.SOURCE, messages)
