"""The public calls on events."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from services.events import handlers, model
from services.events.api.shapes import EventBody, EventChange, EventPage, NewEvent
from services.events.api.wiring import Caller, EventId, Visitor, Wired, refusals
from services.events.store import EventFilter
from shared.http import Invalid, page_of
from shared.times import read_bound

router = APIRouter(prefix="/api/events", tags=["events"])


@router.post("", status_code=201, response_model_exclude_none=True)
def create_event(body: NewEvent, caller: Caller, wired: Wired) -> EventBody:
    """Makes an event. Organizers make them for themselves, admins for anyone."""
    with wired.transaction() as connection:
        event = handlers.create_event(connection, body.changes(), caller, wired.accounts, wired.default_zone)
    return EventBody.of(event)


def _filter(
    caller: Visitor,
    wired: Wired,
    search: Annotated[str, Query(max_length=200)] = "",
    category: Annotated[str, Query(max_length=100)] = "",
    status: Annotated[str, Query(max_length=20)] = "",
    from_: Annotated[str, Query(alias="from", max_length=64)] = "",
    to: Annotated[str, Query(max_length=64)] = "",
) -> EventFilter:
    for field, text in (("search", search), ("category", category)):
        if "\x00" in text:
            raise Invalid.field(field, "contains U+0000")
    with refusals():
        return EventFilter(
            search=search.strip(),
            category=category.strip(),
            status=model.read_status(status) if status.strip() else "",
            starts_from=read_bound("from", from_, wired.default_zone) if from_ else None,
            starts_until=read_bound("to", to, wired.default_zone, whole_day=True) if to else None,
            all_drafts=caller is not None and caller.is_admin,
            drafts_of=caller.id if caller is not None and caller.is_organizer else None,
        )


@router.get("", response_model_exclude_none=True)
def list_events(
    shown: Annotated[EventFilter, Depends(_filter)],
    wired: Wired,
    response: Response,
    page: Annotated[int, Query(ge=1)] = 1,
    page_size: Annotated[int, Query(ge=1, le=100)] = 20,
) -> EventPage:
    """Events, newest start first; drafts only for staff. `from` and `to` are times or days of the start."""
    with wired.transaction() as connection:
        events, total = handlers.list_events(connection, shown, page, page_size)
    response.headers["X-Data-Source"] = "database"
    return EventPage(
        events=[EventBody.of(event) for event in events],
        pagination=page_of(page, page_size, total),
    )


@router.get("/{event_id}", response_model_exclude_none=True)
def get_event(event_id: EventId, caller: Visitor, wired: Wired, response: Response) -> EventBody:
    """One event; a draft is there only for those who may edit it."""
    with wired.transaction() as connection:
        event = handlers.get_event(connection, event_id, caller)
    response.headers["X-Data-Source"] = "database"
    return EventBody.of(event)


@router.put("/{event_id}", response_model_exclude_none=True)
@router.patch("/{event_id}", response_model_exclude_none=True)
def change_event(event_id: EventId, body: EventChange, caller: Caller, wired: Wired) -> EventBody:
    """Changes any subset of the fields."""
    with wired.transaction() as connection:
        event = handlers.change_event(connection, event_id, body.changes(), caller, wired.accounts)
    return EventBody.of(event)


@router.delete("/{event_id}", status_code=204)
def delete_event(event_id: EventId, caller: Caller, wired: Wired) -> None:
    """Deletes an event for good."""
    with wired.transaction() as connection:
        handlers.delete_event(connection, event_id, caller)
