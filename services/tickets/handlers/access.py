"""Finding what a caller asks for, and whose business it is."""

from sqlalchemy import Connection

from services.tickets import model, projections
from services.tickets.errors import EventUnknown, HolderUnknown, NotAllowed, NotFoundHere
from services.tickets.model import Event, Order, TicketType, User
from services.tickets.store import orders as order_rows
from services.tickets.store import ticket_types as type_rows
from shared.auth import Principal


def get_type(connection: Connection, type_id: str, lock: bool = False) -> TicketType:
    """A type that is on offer; raises NotFoundHere."""
    kind = type_rows.find_type(connection, type_id, lock)
    if kind is None:
        raise NotFoundHere("There is no such ticket.")
    return kind


def get_event(connection: Connection, event_id: str) -> Event:
    """The copy of an event, deleted ones too; raises EventUnknown."""
    event = projections.find_event(connection, event_id)
    if event is None:
        raise EventUnknown(event_id)
    return event


def get_order(connection: Connection, order_id: str, caller: Principal, lock: bool = False) -> Order:
    """An order the caller may see; raises NotFoundHere or NotAllowed."""
    order = order_rows.find_order(connection, order_id, lock)
    if order is None:
        raise NotFoundHere("There is no such registration.")
    if order.user_id != caller.id and not is_staff_of(connection, order.event_id, caller):
        raise NotAllowed("Only its holder and staff see a registration.")
    return order


def is_staff_of(connection: Connection, event_id: str, caller: Principal) -> bool:
    """Whether the caller is staff of this event; admins are, of events never told of too."""
    if caller.is_admin:
        return True
    if not caller.is_organizer:
        return False
    event = projections.find_event(connection, event_id)
    return event is not None and model.is_staff(caller, event)


def require_seller(caller: Principal, event: Event) -> None:
    """Raises NotAllowed unless the caller sells tickets of this event."""
    if not model.is_staff(caller, event):
        raise NotAllowed("Only admins and the event's organizer sell its tickets.")


def holder_among(holders: dict[str, User], user_id: str) -> User:
    """One of the people who were looked up; raises HolderUnknown."""
    holder = holders.get(user_id)
    if holder is None or holder.deleted:
        raise HolderUnknown(user_id)
    return holder
