"""Door: HTTP in."""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Body, Depends, FastAPI, Query, Request
from sqlalchemy import Engine

from services.notifications import handlers, ledger, projections
from services.notifications.errors import (
    EventOver,
    NotificationsError,
    UnknownDelivery,
    UnknownEvent,
    UnknownRun,
)
from services.notifications.settings import ReminderSettings
from services.notifications.tasks import RunRequest
from shared.auth import Authenticator, Principal
from shared.http import (
    Check,
    Conflict,
    DependencyDown,
    Forbidden,
    Invalid,
    NotFound,
    Owner,
    OwnerAway,
    Refusal,
    make_api,
    page_of,
)
from shared.inbox import Receiver, dead_letter_router
from shared.messages import new_id
from shared.messages.catalogue import EventData

_STATUSES: dict[type[NotificationsError], type[Refusal]] = {
    UnknownEvent: NotFound,
    UnknownRun: NotFound,
    UnknownDelivery: NotFound,
    EventOver: Conflict,
}


@dataclass(frozen=True, slots=True)
class Doors:
    """What the API's calls need."""

    engine: Engine
    receiver: Receiver
    authenticator: Authenticator
    events: Owner
    reminders: ReminderSettings


def make_app(doors: Doors, vital: dict[str, Check], useful: dict[str, Check]) -> FastAPI:
    """The notifications API."""
    app = make_api("DicoEvent notifications", vital, useful)
    app.add_exception_handler(NotificationsError, _refuse)
    app.include_router(_runs(doors), tags=["notifications"])
    app.include_router(_ledger(doors), tags=["notifications"])
    letters = dead_letter_router(
        doors.engine, doors.receiver, "/api/notifications", doors.authenticator.superuser
    )
    app.include_router(letters, tags=["notifications"])
    return app


def _refuse(request: Request, error: Exception) -> Any:
    refusal = _STATUSES.get(type(error), Invalid)(str(error))  # type: ignore[arg-type]  # errors of this service only
    return request.app.exception_handlers[Refusal](request, refusal)


def _runs(doors: Doors) -> APIRouter:
    router = APIRouter()
    admin = doors.authenticator.admin

    @router.post("/api/events/send-reminders", status_code=202)
    def send_reminders(
        request: RunRequest | None = Body(default=None), caller: Principal = Depends(admin)
    ) -> dict[str, str]:
        """Queues one run of reminders: for all events that are due now, or for one event."""
        wanted = request or RunRequest()
        if wanted.event_id is not None:
            _know_event(doors, wanted.event_id)
        run_id = new_id()
        with doors.engine.begin() as connection:
            handlers.request_run(connection, run_id, wanted.event_id, wanted.again, doors.reminders)
        return {"message": "Event reminder task has been queued successfully", "task_id": run_id}

    @router.get("/api/notifications/runs/{task_id}")
    def get_run(task_id: str, caller: Principal = Depends(admin)) -> dict[str, Any]:
        """How far a run is: its state, and how many recipients are in which state."""
        with doors.engine.connect() as connection:
            return ledger.get_run(connection, task_id)

    @router.post("/api/notifications/deliveries/{delivery_id}/retry", status_code=202)
    def retry(delivery_id: str, caller: Principal = Depends(admin)) -> dict[str, str]:
        """Tries a failed or unknown delivery again."""
        with doors.engine.begin() as connection:
            ledger.retry_delivery(connection, delivery_id)
        return {"id": delivery_id}

    return router


def _ledger(doors: Doors) -> APIRouter:
    router = APIRouter()

    @router.get("/api/notifications/events/{event_id}")
    def get_ledger(
        event_id: str,
        page: int = Query(1, ge=1, le=10**6),
        page_size: int = Query(100, ge=1, le=1000),
        caller: Principal = Depends(doors.authenticator.required),
    ) -> dict[str, Any]:
        """The ledger of an event: schedule, counts, punctuality, and each delivery with its answer."""
        with doors.engine.connect() as connection:
            event = projections.find_event(connection, event_id)
            if event is None:
                raise UnknownEvent("There is no such event.")
            if not (caller.is_admin or (caller.is_organizer and event.organizer_id == caller.id)):
                raise Forbidden("Only staff of the event may see its ledger.")
            answer = ledger.event_ledger(connection, event_id, page, page_size)
        return {**answer, "pagination": page_of(page, page_size, answer.pop("total")).model_dump()}

    return router


def _know_event(doors: Doors, event_id: str) -> None:
    """Asks the events service once about an event that no message has told of yet."""
    with doors.engine.connect() as connection:
        if projections.find_event(connection, event_id) is not None:
            return
    try:
        found = doors.events.find(f"events/{event_id}")
    except OwnerAway:
        raise DependencyDown("The events service cannot be asked about this event now.") from None
    if found is not None:
        data = EventData.model_validate(found)
        with doors.engine.begin() as connection:
            projections.apply_event(connection, data, data.version)
