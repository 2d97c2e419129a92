"""Door: queue in. The table message type -> handler is in handlers.py; this wires it to Celery."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Engine

from services.notifications import store
from services.notifications.tasks import RunRequest
from shared.inbox import Receiver


@dataclass(frozen=True, slots=True)
class QueueRunDesk:
    """Takes run requests from the queue: a row each, planned by whoever is woken."""

    engine: Engine
    receiver: Receiver
    offset: timedelta

    def request(self, run_id: str, request: RunRequest) -> None:
        """Notes a run; a redelivered request changes nothing."""
        with self.engine.begin() as connection:
            now = store.database_now(connection, self.offset)
            store.add_run(connection, run_id, request.event_id, request.again, now)

    def refuse(self, run_id: str, body: object, reason: str) -> None:
        """Keeps a request that makes no sense as a dead letter."""
        self.receiver.bury({"id": run_id, "request": body}, reason)
