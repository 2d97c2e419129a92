"""A consumer process: one Celery worker with a solo pool."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import structlog
from celery import Celery, signals
from celery.exceptions import Reject
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.broker.watchdog import PATIENCE_SECONDS, Intake, start_watchdog
from shared.messages import MessageRefused

log = structlog.get_logger(__name__)

DATABASE_PAUSE_SECONDS = 1.0
_HEARTBEAT_SECONDS = 5.0


class MessageReceiver(Protocol):
    """Where messages go: shared.inbox.Receiver."""

    def receive(self, body: object) -> None: ...

    def receive_many(self, bodies: Sequence[object]) -> None: ...

    def bury(self, body: object, reason: str) -> None: ...


def envelope_argument(args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
    """The one argument a message task has; raises MessageRefused for any other call."""
    if len(args) == 1 and not kwargs:
        return args[0]
    if not args and set(kwargs) == {"envelope"}:
        return kwargs["envelope"]
    raise MessageRefused(f"a task with {len(args)} arguments and {sorted(kwargs)}; one envelope is expected")


def wire_receiver(app: Celery, receiver: MessageReceiver, types: Iterable[str]) -> None:
    """Makes a task of each message type, and the receiver the place for everything else."""
    app.receiver = receiver
    app.intake = Intake()
    app.message_types = frozenset(types)
    for message_type in app.message_types:
        app.task(name=message_type)(_message_task(receiver))


def _message_task(receiver: MessageReceiver) -> Callable[..., None]:
    # Wrong arguments to a task are lost before its first line, so it takes any.
    def task(*args: Any, **kwargs: Any) -> None:
        try:
            body = envelope_argument(args, kwargs)
        except MessageRefused as error:
            refusal, document = str(error), {"args": args, "kwargs": kwargs}
            or_again(lambda: receiver.bury(document, refusal))
        else:
            or_again(lambda: receiver.receive(body))

    return task


def or_again(work: Callable[[], None]) -> None:
    """Does the work of a task; with the database away the message goes back to its queue."""
    try:
        work()
    except (DBAPIError, PoolTimeout) as error:
        log.warning("message.database_away", error=str(error).strip())
        time.sleep(DATABASE_PAUSE_SECONDS)
        raise Reject(error, requeue=True) from error


def take(app: Celery, message: Any, work: Callable[[MessageReceiver], None]) -> None:
    """Does with a raw message what a task would do, and acknowledges it after that."""
    try:
        work(app.receiver)
    except (DBAPIError, PoolTimeout) as error:
        log.warning("message.database_away", error=str(error).strip())
        time.sleep(DATABASE_PAUSE_SECONDS)
        message.requeue()
    else:
        message.ack()


def run_worker(
    app: Celery,
    name: str,
    queues: tuple[str, ...],
    heartbeat: Path | None,
    patience: float | None = PATIENCE_SECONDS,
) -> None:
    """Consumes `queues` until SIGTERM; the message in hand is finished first.

    If it takes nothing for `patience` seconds although messages wait, the process ends: see watchdog.py.
    """

    def ready(**_: Any) -> None:
        if heartbeat is not None:
            start_heartbeat(heartbeat)
        if patience is not None:
            start_watchdog(app.conf.broker_url, queues, app.intake, patience)

    signals.worker_ready.connect(ready, weak=False)
    worker = app.Worker(
        hostname=f"{name}@{os.uname().nodename}.{os.getpid()}",
        queues=",".join(queues),
        pool="solo",
        concurrency=1,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        # Celery sets the root logger's level: without this, LOG_LEVEL would count for nothing.
        loglevel=logging.getLogger().getEffectiveLevel(),
        redirect_stdouts=False,
        quiet=True,
    )
    worker.start()


def start_heartbeat(file: Path) -> None:
    """Touches `file` every five seconds: what health checks of processes without a port look at."""

    def beat() -> None:
        while True:
            file.touch()
            time.sleep(_HEARTBEAT_SECONDS)

    threading.Thread(target=beat, name="heartbeat", daemon=True).start()
