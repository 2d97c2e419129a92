"""The public calls on ticket types."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.tickets import handlers, projections, store
from services.tickets.api.wiring import Caller, Page, PageSize, TicketId, Wired
from services.tickets.errors import FieldInvalid
from services.tickets.shapes import (
    NewTicketType,
    TicketTypeBody,
    TicketTypeChange,
    TicketTypePage,
    zone_of,
)
from shared.http import page_of

router = APIRouter(prefix="/api/tickets", tags=["tickets"])


@router.post("", status_code=201)
def create_type(body: NewTicketType, caller: Caller, wired: Wired) -> TicketTypeBody:
    """Makes a ticket type, for admins and the event's organizer."""
    event = wired.owners.find_event(body.event_id)
    if event is None:
        raise FieldInvalid("event_id", "there is no such event")
    with wired.engine.begin() as connection:
        kind = handlers.create_type(connection, event, body.fields(event.timezone), caller)
    return TicketTypeBody.of(kind, event.timezone)


@router.get("")
def list_types(
    wired: Wired,
    event_id: Annotated[str | None, Query(max_length=128)] = None,
    page: Page = 1,
    page_size: PageSize = 20,
) -> TicketTypePage:
    """Ticket types, newest first; with `event_id` those of one event."""
    if event_id is not None and "\x00" in event_id:
        raise FieldInvalid("event_id", "contains U+0000")
    with wired.engine.connect() as connection:
        kinds, total = store.list_types(connection, event_id, page, page_size)
        zones = {k.event_id: zone_of(projections.find_event(connection, k.event_id)) for k in kinds}
    tickets = [TicketTypeBody.of(kind, zones[kind.event_id]) for kind in kinds]
    return TicketTypePage(tickets=tickets, pagination=page_of(page, page_size, total))


@router.get("/{ticket_id}")
def get_type(ticket_id: TicketId, wired: Wired) -> TicketTypeBody:
    """One ticket type."""
    with wired.engine.connect() as connection:
        kind = handlers.get_type(connection, ticket_id)
        zone = zone_of(projections.find_event(connection, kind.event_id))
    return TicketTypeBody.of(kind, zone)


@router.put("/{ticket_id}")
@router.patch("/{ticket_id}")
def change_type(ticket_id: TicketId, body: TicketTypeChange, caller: Caller, wired: Wired) -> TicketTypeBody:
    """Changes any subset of the fields."""
    with wired.engine.begin() as connection:
        event_id = handlers.get_type(connection, ticket_id).event_id
        zone = zone_of(projections.find_event(connection, event_id))
        kind = handlers.change_type(connection, ticket_id, body.fields(zone), caller)
    return TicketTypeBody.of(kind, zone)


@router.delete("/{ticket_id}", status_code=204)
def delete_type(ticket_id: TicketId, caller: Caller, wired: Wired) -> None:
    """Takes a type off the offer; its orders stay."""
    with wired.engine.begin() as connection:
        handlers.delete_type(connection, ticket_id, caller)
