"""Commands on orders that were placed."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from services.tickets import model, projections
from services.tickets.codes import new_code
from services.tickets.errors import FieldInvalid, NotAllowed, NotFoundHere, OrderRefused
from services.tickets.handlers import announcements
from services.tickets.handlers.access import get_event, get_order, holder_among, is_staff_of
from services.tickets.model import Order, User
from services.tickets.store import orders as order_rows
from services.tickets.store import seats
from services.tickets.store import ticket_types as type_rows
from shared.auth import Principal
from shared.messages import Message
from shared.outbox import publish


@dataclass(frozen=True, slots=True)
class OrderChange:
    """Any subset of what an order says; None leaves it as it is."""

    status: str | None = None
    ticket_type_id: str | None = None
    user_id: str | None = None


def change_order(
    connection: sa.Connection, order_id: str, change: OrderChange, caller: Principal, hold: timedelta | None
) -> Order:
    """Staff give it another status, ticket type or holder; the holder may only cancel."""
    seen = get_order(connection, order_id, caller)
    holders = projections.hold_users(connection, {seen.user_id, change.user_id or seen.user_id})
    order = get_order(connection, order_id, caller, lock=True)
    changed = _apply(order, change, caller, order_rows.database_now(connection))
    if changed == order:
        return order
    _check_allowed(connection, order, changed, caller)
    before, after = model.takes_seat(order.status), model.takes_seat(changed.status)
    if not after and _whose(order) != _whose(changed):
        raise OrderRefused(f"A registration that is {changed.status} keeps its ticket and its holder.")
    if before and not after:
        return let_go(connection, changed)
    if after and not (before and order.ticket_type_id == changed.ticket_type_id):
        changed = _seat(connection, order, changed, caller, hold)
    changed = replace(changed, version=order.version + 1)
    order_rows.save_order(connection, changed)
    if after:
        _tell(connection, order, changed, holders)
    return changed


def _apply(order: Order, change: OrderChange, caller: Principal, now: datetime) -> Order:
    status = change.status or order.status
    if status not in (*model.STATUSES, order.status):
        raise FieldInvalid("status", f"is not one of {', '.join(model.STATUSES)}")
    user_id = change.user_id or order.user_id
    # Another holder gets another code: the one that the former holder has in hand admits nobody.
    code = order.code if user_id == order.user_id else new_code()
    changed = replace(
        order,
        status=status,
        ticket_type_id=change.ticket_type_id or order.ticket_type_id,
        user_id=user_id,
        code=code,
    )
    if status == order.status:
        return changed
    if status == model.CHECKED_IN:
        return replace(changed, checked_in_at=now, checked_in_by=caller.id)
    return replace(changed, checked_in_at=None, checked_in_by=None)


def _check_allowed(connection: sa.Connection, order: Order, changed: Order, caller: Principal) -> None:
    if not is_staff_of(connection, order.event_id, caller):
        cancels = replace(
            order,
            status=model.CANCELLED,
            checked_in_at=changed.checked_in_at,
            checked_in_by=changed.checked_in_by,
        )
        if changed != cancels:
            raise NotAllowed("A holder may only cancel.")


def _seat(
    connection: sa.Connection, order: Order, changed: Order, caller: Principal, hold: timedelta | None
) -> Order:
    """Moves an order to the seat it shall have, if there is one; the one it had is free before that."""
    kind = type_rows.find_type(connection, changed.ticket_type_id)
    if kind is None:
        raise NotFoundHere("There is no such ticket.")
    changed = replace(changed, event_id=kind.event_id)
    seats.lock_counts(connection, [order, changed])
    if model.takes_seat(order.status):
        seats.move_seats(connection, [order], -1)
    offer = seats.lock_offers(connection, {kind.id}).get(kind.id)
    if offer is None or offer.event.id != changed.event_id:
        raise NotFoundHere("There is no such ticket.")
    if not model.is_staff(caller, offer.event):
        raise NotAllowed("Only staff of an event give its seats away.")
    model.check_seats(offer.event, offer.kind)
    seats.move_seats(connection, [changed], 1)
    unpaid = changed.paid_at is None and offer.kind.price > 0
    return replace(changed, hold_until=offer.now + hold if unpaid and hold is not None else None)


def _tell(connection: sa.Connection, order: Order, changed: Order, holders: dict[str, User]) -> None:
    if _whose(order) == _whose(changed) and model.takes_seat(order.status):
        return
    if changed.user_id not in holders:
        raise OrderRefused("The registration was changed meanwhile; try again.")
    kind = type_rows.find_type(connection, changed.ticket_type_id, archived=True)
    assert kind is not None, "an order's type is never deleted"
    holder = holder_among(holders, changed.user_id)
    event = get_event(connection, changed.event_id)
    told = "ticket.updated" if model.takes_seat(order.status) else "ticket.ordered"
    message = announcements.ordered(changed, kind, event, holder, message_type=told)
    publish(connection, announcements.SOURCE, [message])


def _whose(order: Order) -> tuple[str, str]:
    return order.user_id, order.ticket_type_id


def delete_order(connection: sa.Connection, order_id: str, caller: Principal) -> None:
    """Cancels an order and forgets it; its payments stay."""
    order = get_order(connection, order_id, caller, lock=True)
    if model.takes_seat(order.status):
        let_go(connection, replace(order, status=model.CANCELLED))
    order_rows.remove_order(connection, order_id)


def let_go(connection: sa.Connection, order: Order) -> Order:
    """Stores a locked order that gave its seat back, frees the seat and says so."""
    order = replace(order, version=order.version + 1, hold_until=None)
    order_rows.save_order(connection, order)
    seats.move_seats(connection, [order], -1)
    gone: list[Message] = [announcements.cancelled(order)]
    publish(connection, announcements.SOURCE, gone)
    return order
