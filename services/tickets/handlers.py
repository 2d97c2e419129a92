"""One function for each command and each message; the caller owns the transaction."""

from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.tickets import model, projections, store
from services.tickets.errors import FieldInvalid, NotAllowed, NotFoundHere
from services.tickets.model import Event, Order, TicketType, User
from shared.auth import Principal
from shared.messages import Envelope, Message, new_id
from shared.messages.catalogue import (
    EventData,
    EventGone,
    HolderData,
    TicketData,
    TicketGone,
    TicketOrdered,
    UserData,
    UserGone,
)
from shared.outbox import publish

SOURCE = "/tickets"


def create_type(
    connection: sa.Connection, event: Event, fields: dict[str, Any], caller: Principal
) -> TicketType:
    """Makes a ticket type for an event of the caller's."""
    _require_staff(caller, event)
    kind = TicketType(id=new_id(), event_id=event.id, sold=0, archived=False, **fields)
    store.add_type(connection, kind)
    return kind


def get_type(connection: sa.Connection, type_id: str, lock: bool = False) -> TicketType:
    """A type that is on offer; raises NotFoundHere."""
    kind = store.find_type(connection, type_id, lock)
    if kind is None:
        raise NotFoundHere("There is no such ticket.")
    return kind


def change_type(
    connection: sa.Connection, type_id: str, fields: dict[str, Any], caller: Principal
) -> TicketType:
    """Changes any subset of the fields; a quota below what is sold sells no more."""
    kind = get_type(connection, type_id, lock=True)
    _require_staff(caller, _event_of(connection, kind.event_id))
    changed = replace(kind, **fields)
    store.save_type(connection, changed)
    return changed


def delete_type(connection: sa.Connection, type_id: str, caller: Principal) -> None:
    """Takes a type off the offer; its orders stay."""
    kind = get_type(connection, type_id, lock=True)
    _require_staff(caller, _event_of(connection, kind.event_id))
    store.remove_type(connection, type_id)


def place_order(
    connection: sa.Connection, type_id: str, holder_id: str, caller: Principal, now: datetime
) -> Order:
    """One ticket for one person: takes the seat and publishes `ticket.ordered`, together or not at all.

    The event's row is locked before the type's, by everybody: so quotas hold and nothing deadlocks. The
    holder's row is held too: no message tells of a person who was forgotten meanwhile.
    """
    event_id = get_type(connection, type_id).event_id
    holder = _hold_user(connection, holder_id)
    event = _event_of(connection, event_id, lock=True)
    kind = get_type(connection, type_id, lock=True)
    staff = model.is_staff(caller, event)
    if holder.id != caller.id and not staff:
        raise NotAllowed("Only staff of the event order for others.")
    model.check_order(event, kind, staff, now)
    order = Order(
        id=new_id(),
        version=1,
        ticket_type_id=kind.id,
        event_id=event.id,
        user_id=holder.id,
        status=model.REGISTERED,
        code=model.new_code(),
    )
    store.add_order(connection, order)
    publish(connection, SOURCE, [_ordered(order, kind, event, holder)])
    return order


def get_order(connection: sa.Connection, order_id: str, caller: Principal, lock: bool = False) -> Order:
    """An order the caller may see; raises NotFoundHere."""
    order = store.find_order(connection, order_id, lock)
    if order is None:
        raise NotFoundHere("There is no such registration.")
    if order.user_id != caller.id and not model.is_staff(caller, _event_of(connection, order.event_id)):
        raise NotAllowed("Only its holder and staff see a registration.")
    return order


def change_order(connection: sa.Connection, order_id: str, status: str, caller: Principal) -> Order:
    """Gives an order another status; a holder may only cancel his own."""
    order = _lock_order(connection, order_id, caller)
    event = _event_of(connection, order.event_id)
    if status not in model.STATUSES:
        raise FieldInvalid("status", f"is not one of {', '.join(model.STATUSES)}")
    if status == order.status:
        return order
    if status != model.CANCELLED and not model.is_staff(caller, event):
        raise NotAllowed("A holder may only cancel.")
    changed = replace(order, status=status, version=order.version + 1)
    store.save_order(connection, changed)
    if model.takes_seat(order.status) and not model.takes_seat(status):
        _free(connection, changed)
    elif not model.takes_seat(order.status):
        _take_again(connection, changed, event)
    return changed


def delete_order(connection: sa.Connection, order_id: str, caller: Principal) -> None:
    """Cancels an order and forgets it."""
    order = _lock_order(connection, order_id, caller)
    store.remove_order(connection, order_id)
    if model.takes_seat(order.status):
        _free(connection, replace(order, version=order.version + 1))


def _lock_order(connection: sa.Connection, order_id: str, caller: Principal) -> Order:
    # Event before type before order, as in place_order: everybody locks in this order.
    order = get_order(connection, order_id, caller)
    _event_of(connection, order.event_id, lock=True)
    return get_order(connection, order_id, caller, lock=True)


def _free(connection: sa.Connection, order: Order) -> None:
    store.move_seat(connection, order, -1)
    gone = TicketGone(ticket_id=order.id, event_id=order.event_id, holder_id=order.user_id)
    publish(connection, SOURCE, [Message("ticket.cancelled", order.id, order.version, gone)])


def _take_again(connection: sa.Connection, order: Order, event: Event) -> None:
    holder = _hold_user(connection, order.user_id)
    kind = get_type(connection, order.ticket_type_id, lock=True)
    model.check_seats(event, kind)
    store.move_seat(connection, order, 1)
    publish(connection, SOURCE, [_ordered(order, kind, event, holder)])


def _hold_user(connection: sa.Connection, user_id: str) -> User:
    user = projections.find_user(connection, user_id, hold=True)
    if user is None or user.deleted:
        raise FieldInvalid("user_id", "there is no such user")
    return user


def _event_of(connection: sa.Connection, event_id: str, lock: bool = False) -> Event:
    event = projections.find_event(connection, event_id, lock)
    if event is None:
        raise NotFoundHere("There is no such event.")
    return event


def _require_staff(caller: Principal, event: Event) -> None:
    if not model.is_staff(caller, event):
        raise NotAllowed("Only admins and the event's organizer sell its tickets.")


def _ordered(order: Order, kind: TicketType, event: Event, holder: User) -> Message:
    facts = EventData.model_validate({**asdict(event), "version": event.sequence})
    name = holder.name or holder.username
    person = HolderData.model_validate({**asdict(holder), "version": holder.sequence, "name": name})
    ticket = TicketData(id=order.id, code=order.code, name=kind.name)
    data = TicketOrdered(ticket=ticket, holder=person, event=facts)
    return Message("ticket.ordered", order.id, order.version, data)


def event_changed(connection: sa.Connection, data: EventData, envelope: Envelope) -> None:
    """`event.scheduled`, `event.updated`, `event.cancelled`"""
    if envelope.type == "event.cancelled":
        data = data.model_copy(update={"status": "cancelled"})
    projections.apply_event(connection, data, max(envelope.sequence, data.version))


def event_deleted(connection: sa.Connection, data: EventGone, envelope: Envelope) -> None:
    """`event.deleted`"""
    projections.remove_event(connection, data.id)


def user_changed(connection: sa.Connection, data: UserData, envelope: Envelope) -> None:
    """`user.registered`, `user.updated`"""
    projections.apply_user(connection, data, max(envelope.sequence, data.version))


def user_deleted(connection: sa.Connection, data: UserGone, envelope: Envelope) -> None:
    """`user.deleted`: his orders stay, his name and address go."""
    projections.remove_user(connection, data.id)
    store.forget_holder(connection, data.id)
