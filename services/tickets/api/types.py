"""The public calls on ticket types."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.tickets import projections
from services.tickets.api.fields import Id
from services.tickets.api.shapes import NewTicketType, TicketTypeBody, TicketTypeChange, TicketTypePage
from services.tickets.api.wiring import Caller, PageWanted, TicketId, Visitor, Wired, Wiring
from services.tickets.errors import FieldInvalid
from services.tickets.handlers import ticket_types as handlers
from services.tickets.handlers.access import get_type
from services.tickets.model import Event
from services.tickets.store import ticket_types as store
from shared.http import problems

router = APIRouter(prefix="/api/tickets", tags=["tickets"])
# Of a type whose event was never told of.
_NO_ZONE = "UTC"
# Only ids: so `check-in` is no ticket type with an odd id, whatever the method.
_ONE = "/{ticket_id:uuid}"
_ABSENT = "There is no such ticket."
_NOT_YOURS = "Only admins and the event's organizer sell its tickets."


def _event(wired: Wiring, event_id: str) -> Event:
    event = wired.owners.find_event(event_id)
    if event is None:
        raise FieldInvalid("event_id", "there is no such event")
    return event


@router.post("", status_code=201, responses=problems(403, _403=_NOT_YOURS))
def create_type(body: NewTicketType, caller: Caller, wired: Wired) -> TicketTypeBody:
    """Makes a ticket type, for admins and the event's organizer."""
    event = _event(wired, body.event_id)
    with wired.engine.begin() as connection:
        kind = handlers.create_type(connection, event, body.fields(event.timezone), caller)
    return TicketTypeBody.of(kind, event.timezone)


@router.get("")
def list_types(
    caller: Visitor, wired: Wired, wanted: PageWanted, event_id: Annotated[Id | None, Query()] = None
) -> TicketTypePage:
    """Ticket types, newest first; with `event_id` those of one event. Those of drafts only for staff."""
    with wired.engine.connect() as connection:
        page = store.list_types(connection, event_id, caller, wanted)
        zones = projections.zones_of(connection, {kind.event_id for kind in page.items})
    tickets = [TicketTypeBody.of(kind, zones.get(kind.event_id, _NO_ZONE)) for kind in page.items]
    return TicketTypePage(tickets=tickets, pagination=page.pagination)


@router.get(_ONE, responses=problems(404, _404=_ABSENT))
def get_ticket_type(ticket_id: TicketId, caller: Visitor, wired: Wired) -> TicketTypeBody:
    """One ticket type; one of a draft is there only for staff."""
    with wired.engine.connect() as connection:
        kind, event = handlers.show_type(connection, ticket_id, caller)
    return TicketTypeBody.of(kind, event.timezone if event else _NO_ZONE)


@router.put(_ONE, responses=problems(403, 404, 409, _403=_NOT_YOURS, _404=_ABSENT))
@router.patch(_ONE, responses=problems(403, 404, 409, _403=_NOT_YOURS, _404=_ABSENT))
def change_type(ticket_id: TicketId, body: TicketTypeChange, caller: Caller, wired: Wired) -> TicketTypeBody:
    """Changes any subset of the fields. Another event only as long as nobody ordered: else 409."""
    with wired.engine.connect() as connection:
        own_event_id = get_type(connection, ticket_id).event_id
    event = _event(wired, body.event_id) if body.event_id not in (None, own_event_id) else None
    with wired.engine.begin() as connection:
        known = event or projections.find_event(connection, own_event_id)
        zone = known.timezone if known else _NO_ZONE
        kind = handlers.change_type(connection, ticket_id, body.fields(zone), event, caller)
    return TicketTypeBody.of(kind, zone)


@router.delete(_ONE, status_code=204, responses=problems(403, 404, _403=_NOT_YOURS, _404=_ABSENT))
def delete_type(ticket_id: TicketId, caller: Caller, wired: Wired) -> None:
    """Takes a type off the offer; its orders stay."""
    with wired.engine.begin() as connection:
        handlers.delete_type(connection, ticket_id, caller)
