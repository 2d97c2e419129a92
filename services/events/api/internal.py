"""The calls for other services; the gateway does not route them."""

from fastapi import APIRouter

from services.events import handlers, model
from services.events.api.wiring import EventId, Wired
from shared.messages.catalogue import EventData

router = APIRouter(prefix="/internal", include_in_schema=False)


@router.get("/events/{event_id:uuid}")
def get_event(event_id: EventId, wired: Wired) -> EventData:
    """Any event, drafts too, as it travels in messages."""
    with wired.transaction() as connection:
        return model.event_data(handlers.get_for_service(connection, event_id))
