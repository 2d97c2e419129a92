"""Asking for reminders from Python:

    from services.notifications.tasks import send_event_reminders
    send_event_reminders.delay()

needs CELERY_BROKER_URL and nothing else; the run's id is the task's id.
"""

from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError

from services.notifications.errors import RunRequestRefused
from services.notifications.settings import read_broker_url
from shared.broker import make_celery
from shared.broker.worker import or_again
from shared.settings import process_environment

QUEUE = "notifications"
WAKE_QUEUE = "notifications.delivery"
WAKE_TASK = "notifications.wake"

app = make_celery(read_broker_url(process_environment()), "notifications", (QUEUE, WAKE_QUEUE))


class RunRequest(BaseModel):
    """What a run is asked for with: all events that are due now, or one."""

    model_config = ConfigDict(extra="ignore")

    event_id: str | None = Field(default=None, min_length=1, max_length=128)
    again: StrictBool = False


class RunDesk(Protocol):
    """Where run requests go in the consumer's process."""

    def request(self, run_id: str, request: RunRequest) -> None: ...

    def refuse(self, run_id: str, body: object, reason: str) -> None: ...


def read_run_request(args: tuple[Any, ...], kwargs: dict[str, Any]) -> RunRequest:
    """The request in a task's arguments: `(event_id=None, again=False)`; raises RunRequestRefused."""
    if len(args) > 2:
        raise RunRequestRefused(f"{len(args)} arguments; event_id and again are expected")
    try:
        return RunRequest.model_validate(dict(zip(("event_id", "again"), args, strict=False)) | kwargs)
    except ValidationError as error:
        raise RunRequestRefused(f"event_id or again: {error.errors()[0]['msg']}") from None


@app.task(name="services.notifications.tasks.send_event_reminders", bind=True)
def send_event_reminders(self: Any, *args: Any, **kwargs: Any) -> None:
    """Asks for one run of reminders: for `event_id`, or for all events that are due now."""
    desk: RunDesk = self.app.desk
    try:
        request = read_run_request(args, kwargs)
    except RunRequestRefused as error:
        reason, body = str(error), {"task": self.name, "args": args, "kwargs": kwargs}
        or_again(lambda: desk.refuse(self.request.id, body, reason))
    else:
        or_again(lambda: desk.request(self.request.id, request))
