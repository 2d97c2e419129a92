"""Runs of reminders, and deliveries that are tried again."""

from typing import Any

from fastapi import APIRouter, Body, Depends

from services.notifications import handlers, ledger
from services.notifications.api.shapes import DeliveryQueued, Run, RunQueued
from services.notifications.api.wiring import NO_EVENT, Doors, know_event
from services.notifications.tasks import RunRequest
from shared.auth import Principal
from shared.http import problems
from shared.messages import new_id


def router(doors: Doors) -> APIRouter:
    """For admins and superusers."""
    router = APIRouter()
    admin = doors.authenticator.admin

    @router.post(
        "/api/events/send-reminders",
        status_code=202,
        response_model=RunQueued,
        responses=problems(403, 404, 409, _404=NO_EVENT, _409="The event has started or is cancelled."),
    )
    def send_reminders(
        request: RunRequest | None = Body(default=None), caller: Principal = Depends(admin)
    ) -> dict[str, str]:
        """Queues one run of reminders: for all events that are due now, or for one event."""
        wanted = request or RunRequest()
        if wanted.event_id is not None:
            know_event(doors, wanted.event_id)
        run_id = new_id()
        with doors.engine.begin() as connection:
            handlers.request_run(connection, run_id, wanted.event_id, wanted.again, doors.reminders)
        return {"message": "Event reminder task has been queued successfully", "task_id": run_id}

    @router.get(
        "/api/notifications/runs/{task_id}",
        response_model=Run,
        responses=problems(403, 404, _404="There is no such run."),
    )
    def get_run(task_id: str, caller: Principal = Depends(admin)) -> dict[str, Any]:
        """How far a run is: its state, and how many recipients are in which state."""
        with doors.engine.connect() as connection:
            return ledger.get_run(connection, task_id)

    @router.post(
        "/api/notifications/deliveries/{delivery_id}/retry",
        status_code=202,
        response_model=DeliveryQueued,
        responses=problems(403, 404, _404="There is no failed or unknown delivery with this id."),
    )
    def retry(delivery_id: str, caller: Principal = Depends(admin)) -> dict[str, str]:
        """Tries a failed or unknown delivery again."""
        with doors.engine.begin() as connection:
            ledger.retry_delivery(connection, delivery_id)
        return {"id": delivery_id}

    return router
