"""The public calls on events."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import Connection

from services.events import handlers, model
from services.events.api.reads import answer_read, view_of
from services.events.api.shapes import (
    DAY_OR_TIME_PATTERN,
    STATUS_PATTERN,
    EventBody,
    EventChange,
    EventPage,
    NewEvent,
)
from services.events.api.wiring import Caller, EventId, Visitor, Wired, refusals
from services.events.store import EventFilter
from shared.http import Pagination, page_of, problems
from shared.http.fields import Line, Shown
from shared.http.pages import read_cursor, write_cursor
from shared.times import read_bound

router = APIRouter(prefix="/api/events", tags=["events"])
_BOUND = Shown({"pattern": f"^{DAY_OR_TIME_PATTERN}?$"})
_ABSENT = "There is no such event."
_SOURCE = {
    "X-Data-Source": {
        "description": "Where the answer is from; what it says is the same.",
        "schema": {"type": "string", "enum": ["database", "cache"]},
    }
}


@router.post("", status_code=201, responses=problems(403))
def create_event(body: NewEvent, caller: Caller, wired: Wired) -> EventBody:
    """Makes an event. Organizers make them for themselves, admins for anyone."""
    with wired.transaction() as connection:
        event = handlers.create_event(connection, body.changes(), caller, wired.accounts, wired.default_zone)
    return EventBody.of(event, wired.default_lead)


def _filter(
    caller: Visitor,
    wired: Wired,
    search: Annotated[Line, Query(max_length=200)] = "",
    category: Annotated[Line, Query(max_length=100)] = "",
    status: Annotated[str, Shown({"pattern": f"^{STATUS_PATTERN}?$"}), Query(max_length=20)] = "",
    from_: Annotated[str, _BOUND, Query(alias="from", max_length=64)] = "",
    to: Annotated[str, _BOUND, Query(max_length=64)] = "",
) -> EventFilter:
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


@router.get("", response_model=EventPage, responses={200: {"headers": _SOURCE}})
async def list_events(
    shown: Annotated[EventFilter, Depends(_filter)],
    caller: Visitor,
    wired: Wired,
    request: Request,
    page: Annotated[int, Query(ge=1)] = 1,
    page_size: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str, Query(max_length=500)] = "",
) -> Response:
    """Events, newest start first; drafts only for staff. `from` and `to` are times or days of the start.

    `page` numbers the pages, the last one for a number past the end. `cursor`, taken from `next_cursor` of
    another answer, goes on from there, at the same cost however deep; then `page` is ignored.
    """
    key = read_cursor(cursor, datetime, str) if cursor else None

    def load(connection: Connection) -> EventPage:
        if key is not None:
            return _after(connection, shown, page_size, key, wired.default_lead)
        return _numbered(connection, shown, page, page_size, wired.default_lead)

    return await answer_read(request, wired, view_of(caller), load)


def _numbered(
    connection: Connection, shown: EventFilter, page: int, page_size: int, default_lead: int
) -> EventPage:
    events, total = handlers.list_events(connection, shown, page, page_size)
    pagination = page_of(page, page_size, total)
    if events and pagination.page != pagination.pages:
        pagination.next_cursor = write_cursor((events[-1].starts_at, events[-1].id))
    return EventPage(events=[EventBody.of(event, default_lead) for event in events], pagination=pagination)


def _after(
    connection: Connection, shown: EventFilter, page_size: int, key: tuple[Any, ...], default_lead: int
) -> EventPage:
    events, has_more = handlers.list_after(connection, shown, page_size, (key[0], key[1]))
    next_cursor = write_cursor((events[-1].starts_at, events[-1].id)) if has_more else None
    return EventPage(
        events=[EventBody.of(event, default_lead) for event in events],
        pagination=Pagination(page_size=page_size, next_cursor=next_cursor),
    )


@router.get(
    "/{event_id:uuid}",
    response_model=EventBody,
    responses={200: {"headers": _SOURCE}, **problems(404, _404=_ABSENT)},
)
async def get_event(event_id: EventId, caller: Visitor, wired: Wired, request: Request) -> Response:
    """One event; a draft is there only for those who may edit it."""

    def load(connection: Connection) -> EventBody:
        return EventBody.of(handlers.get_event(connection, event_id, caller), wired.default_lead)

    return await answer_read(request, wired, view_of(caller), load)


@router.put("/{event_id:uuid}", responses=problems(403, 404, _404=_ABSENT))
@router.patch("/{event_id:uuid}", responses=problems(403, 404, _404=_ABSENT))
def change_event(event_id: EventId, body: EventChange, caller: Caller, wired: Wired) -> EventBody:
    """Changes any subset of the fields."""
    with wired.transaction() as connection:
        event = handlers.change_event(
            connection, event_id, body.changes(), caller, wired.accounts, wired.default_lead
        )
    return EventBody.of(event, wired.default_lead)


@router.delete("/{event_id:uuid}", status_code=204, responses=problems(403, 404, _404=_ABSENT))
def delete_event(event_id: EventId, caller: Caller, wired: Wired) -> None:
    """Deletes an event for good."""
    with wired.transaction() as connection:
        handlers.delete_event(connection, event_id, caller)
    wired.on_gone()
