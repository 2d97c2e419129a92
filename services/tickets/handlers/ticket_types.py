"""Commands on ticket types."""

from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from services.tickets import model
from services.tickets.errors import NotFoundHere, OrderRefused
from services.tickets.handlers.access import get_event, get_type, require_seller
from services.tickets.model import Event, TicketType
from services.tickets.projections import find_event
from services.tickets.store import ticket_types as store
from shared.auth import Principal
from shared.messages import new_id


def create_type(
    connection: sa.Connection, event: Event, fields: dict[str, Any], caller: Principal
) -> TicketType:
    """Makes a ticket type for an event of the caller's."""
    require_seller(caller, event)
    kind = TicketType(id=new_id(), event_id=event.id, sold=0, archived=False, **fields)
    store.add_type(connection, kind)
    return kind


def show_type(
    connection: sa.Connection, type_id: str, caller: Principal | None
) -> tuple[TicketType, Event | None]:
    """A type with its event, if the caller may see it; raises NotFoundHere."""
    kind = get_type(connection, type_id)
    event = find_event(connection, kind.event_id)
    if event is not None and not model.is_shown(event, caller):
        raise NotFoundHere("There is no such ticket.")
    return kind, event


def change_type(
    connection: sa.Connection, type_id: str, fields: dict[str, Any], event: Event | None, caller: Principal
) -> TicketType:
    """Changes any subset of the fields; a quota below what is sold sells no more.

    With `event` the type goes over to that event, as long as nobody ordered it.
    """
    kind = get_type(connection, type_id, lock=True)
    require_seller(caller, get_event(connection, kind.event_id))
    if event is not None and event.id != kind.event_id:
        require_seller(caller, event)
        if store.is_ordered(connection, type_id):
            raise OrderRefused("This ticket was ordered: it stays with its event.")
        fields = {**fields, "event_id": event.id}
    changed = replace(kind, **fields)
    store.save_type(connection, changed)
    return changed


def delete_type(connection: sa.Connection, type_id: str, caller: Principal) -> None:
    """Takes a type off the offer; its orders stay."""
    kind = get_type(connection, type_id, lock=True)
    require_seller(caller, get_event(connection, kind.event_id))
    store.remove_type(connection, type_id)
