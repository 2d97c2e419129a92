"""A Celery consumer that forgets nothing.

Celery acknowledges and drops what it does not understand: unknown task names, undecodable bodies, messages
that are no task at all. Here each of them goes to the receiver, which applies a bare envelope and keeps the
rest as a dead letter. Messages that it does understand go there in stretches, past Celery's tasks.
"""

from typing import Any

from celery.worker.consumer import Consumer
from kombu.exceptions import KombuError

from shared.broker.stretch import envelope_of, take_stretch
from shared.broker.worker import take


class KeepingConsumer(Consumer):
    """Setting `worker_consumer`; `app.receiver` is where messages go."""

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Any:
        handle = super().create_task_handler(*args, **kwargs)

        def on_message(message: Any) -> None:
            self.app.intake.count += 1
            try:
                envelope = envelope_of(self.app, message)
                if envelope is None:
                    handle(message)
                else:
                    take_stretch(self.app, message, envelope)
            except (KeyError, TypeError, AttributeError, ValueError) as error:
                # {"task": ...} without an id is a KeyError in Celery's strategy; kombu takes that for a
                # lost connection and would redeliver it for ever.
                self._bury(message, f"not a Celery task message: {type(error).__name__}: {error}")

        return on_message

    def on_unknown_message(self, body: Any, message: Any) -> None:
        take(self.app, message, lambda receiver: receiver.receive(body))

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:
        envelope = _envelope_in(message)
        if envelope is not None:
            take(self.app, message, lambda receiver: receiver.receive(envelope))
            return
        name = message.headers.get("task") or "without a name"
        self._bury(message, f"unknown task {name!r}")

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:
        self._bury(message, f"not a Celery task message: {exc}")

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        self._bury(message, f"not JSON: {exc}")

    def _bury(self, message: Any, reason: str) -> None:
        body = message.body
        if isinstance(body, memoryview):
            body = bytes(body)
        take(self.app, message, lambda receiver: receiver.bury(body, reason))


def _envelope_in(message: Any) -> dict[str, Any] | None:
    """The envelope that a task message with an unknown name carries, so that it can be replayed later."""
    try:
        args, _, _ = message.decode()
        envelope = args[0]
    except (KombuError, ValueError, TypeError, LookupError):
        return None
    return envelope if isinstance(envelope, dict) else None
