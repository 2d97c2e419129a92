"""Door: HTTP in."""

from typing import Any

from fastapi import FastAPI, Request

from services.notifications.api import ledgers, pauses, previews, runs, suppressions, unsubscribe
from services.notifications.api.wiring import REFUSALS, Doors
from services.notifications.errors import NotificationsError
from shared.http import Check, Invalid, Refusal, make_api
from shared.inbox import dead_letter_router

__all__ = ["Doors", "make_app"]


def make_app(doors: Doors, vital: dict[str, Check], useful: dict[str, Check]) -> FastAPI:
    """The notifications API."""
    app = make_api("DicoEvent notifications", vital, useful)
    app.add_exception_handler(NotificationsError, _refuse)
    for part in (runs, ledgers, pauses, previews, suppressions):
        app.include_router(part.router(doors), tags=["notifications"])
    letters = dead_letter_router(
        doors.engine, doors.receiver, "/api/notifications", doors.authenticator.superuser
    )
    app.include_router(letters, tags=["notifications"])
    app.include_router(unsubscribe.router(doors), tags=["unsubscribe"])
    return app


def _refuse(request: Request, error: Exception) -> Any:
    refusal = REFUSALS.get(type(error), Invalid)(str(error))  # type: ignore[arg-type]  # errors of this service only
    return request.app.exception_handlers[Refusal](request, refusal)
