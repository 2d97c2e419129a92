"""The suppression list: seen, added to, taken from. For admins and superusers."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Depends, Path, Query, Response

from services.notifications import commands, suppression
from services.notifications.api.shapes import NewSuppression, Suppression, SuppressionList
from services.notifications.api.wiring import Doors
from shared.auth import Principal
from shared.http import page_of, problems
from shared.http.fields import Line
from shared.http.pages import Pagination, clamp, read_cursor, write_cursor


def router(doors: Doors) -> APIRouter:
    """For admins and superusers."""
    router = APIRouter(prefix="/api/notifications/suppressions")
    admin = doors.authenticator.admin

    @router.get("", response_model=SuppressionList, responses=problems(403))
    def list_suppressions(
        page: int = Query(1, ge=1, le=10**6),
        page_size: int = Query(100, ge=1, le=1000),
        cursor: str | None = Query(None, max_length=1000, description="`next_cursor` of the page before."),
        caller: Principal = Depends(admin),
    ) -> dict[str, Any]:
        """Addresses that get nothing, newest first, each with its reason."""
        after = read_cursor(cursor, datetime, str) if cursor is not None else None
        with doors.engine.connect() as connection:
            total = suppression.count_suppressions(connection)
            page = clamp(page, page_size, total)
            start = 0 if after is not None else (page - 1) * page_size
            found = suppression.list_suppressions(connection, page_size, after, start)
        shown = [dict(row._mapping) for row in found[:page_size]]
        last = shown[-1] if len(found) > page_size else None
        following = write_cursor([last["created_at"], last["address"]]) if last else None
        pagination = (
            page_of(page, page_size, total, following)
            if after is None
            else Pagination(page_size=page_size, next_cursor=following)
        )
        return {"suppressions": shown, "pagination": pagination}

    @router.post("", status_code=201, response_model=Suppression, responses=problems(403))
    def add(wanted: NewSuppression, caller: Principal = Depends(admin)) -> dict[str, Any]:
        """Puts an address on the list and takes back what waits for it; one there keeps its reason."""
        with doors.engine.begin() as connection:
            return commands.suppress(connection, wanted.address, wanted.reason, doors.reminders)

    @router.delete(
        "/{address}",
        status_code=204,
        response_class=Response,
        responses=problems(400, 403, 404, _404="This address is not on the list."),
    )
    def remove(
        address: Line = Path(max_length=320, examples=["sari@dicoevent.example"]),
        caller: Principal = Depends(admin),
    ) -> None:
        """Takes an address off the list; what waits for it and still helps is sent."""
        with doors.engine.begin() as connection:
            commands.release(connection, address, doors.reminders)

    return router
