"""What became of an event's mails, and whom they do not reach: for its staff."""

from typing import Any

from fastapi import APIRouter, Depends, Query

from services.notifications import ledger, reach
from services.notifications.api.shapes import Ledger, UnreachableList
from services.notifications.api.wiring import NO_EVENT, Doors, event_for_staff
from shared.auth import Principal
from shared.http import page_of, problems
from shared.http.pages import Pagination, clamp, read_cursor, write_cursor


def router(doors: Doors) -> APIRouter:
    """For admins, superusers and the event's organizer."""
    router = APIRouter(prefix="/api/notifications/events/{event_id}")
    signed_in = doors.authenticator.required
    refusals = problems(403, 404, _404=NO_EVENT)

    @router.get("", response_model=Ledger, responses=refusals)
    def get_ledger(
        event_id: str,
        page: int = Query(1, ge=1, le=10**6),
        page_size: int = Query(100, ge=1, le=1000),
        cursor: str | None = Query(None, max_length=200, description="`next_cursor` of the page before."),
        caller: Principal = Depends(signed_in),
    ) -> dict[str, Any]:
        """The ledger of an event: schedule, counts, punctuality, and each delivery with its whole story."""
        after = read_cursor(cursor, int)[0] if cursor is not None else None
        with doors.engine.connect() as connection:
            event_for_staff(connection, event_id, caller)
            answer = ledger.event_summary(connection, event_id)
            total = sum(answer["counts"].values())
            page = clamp(page, page_size, total)
            start = None if after is not None else (page - 1) * page_size
            found = ledger.deliveries_of(connection, event_id, page_size + 1, after or 0, start or 0)
        shown = found[:page_size]
        following = write_cursor([int(shown[-1]["id"])]) if len(found) > page_size else None
        pagination = (
            page_of(page, page_size, total, following)
            if after is None
            else Pagination(page_size=page_size, next_cursor=following)
        )
        return {**answer, "deliveries": shown, "pagination": pagination}

    @router.get("/unreachable", response_model=UnreachableList, responses=refusals)
    def get_unreachable(
        event_id: str,
        page: int = Query(1, ge=1, le=10**6),
        page_size: int = Query(100, ge=1, le=1000),
        caller: Principal = Depends(signed_in),
    ) -> dict[str, Any]:
        """Holders of tickets whom no reminder reaches, each with the reason."""
        with doors.engine.connect() as connection:
            event_for_staff(connection, event_id, caller)
            total = reach.count_unreachable(connection, event_id)
            page = clamp(page, page_size, total)
            found = reach.list_unreachable(connection, event_id, page_size, (page - 1) * page_size)
        return {"unreachable": found, "pagination": page_of(page, page_size, total)}

    return router
