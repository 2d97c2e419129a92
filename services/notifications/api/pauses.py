"""Campaigns that rest, and how to let them go on. For admins and superusers."""

from typing import Any

from fastapi import APIRouter, Depends, Path, Response

from services.notifications import pauses, store
from services.notifications.api.shapes import PauseList
from services.notifications.api.wiring import Doors
from services.notifications.model import Kind
from shared.auth import Principal
from shared.http import problems
from shared.http.fields import Line

_MOST = 1000


def router(doors: Doors) -> APIRouter:
    """For admins and superusers."""
    router = APIRouter(prefix="/api/notifications/pauses")
    admin = doors.authenticator.admin

    @router.get("", response_model=PauseList, responses=problems(403))
    def list_pauses(caller: Principal = Depends(admin)) -> dict[str, Any]:
        """Mails of an event and kind that rest because the mail server refused one of them by its policy."""
        with doors.engine.connect() as connection:
            now = store.database_now(connection, doors.reminders.clock_offset)
            return {"pauses": [dict(row._mapping) for row in pauses.list_pauses(connection, now, _MOST)]}

    @router.delete(
        "/{event_id}/{kind}",
        status_code=204,
        response_class=Response,
        responses=problems(400, 403, 404, _404="This campaign does not rest."),
    )
    def resume(kind: Kind, event_id: Line = Path(max_length=128), caller: Principal = Depends(admin)) -> None:
        """Ends the pause: what waited for its end is sent now."""
        with doors.engine.begin() as connection:
            pauses.resume(connection, event_id, kind)

    return router
