"""The sending loop as a thread of its process: begun, woken and stopped from the outside."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import structlog
import uvloop
from sqlalchemy import Engine

from services.notifications.courier import Courier
from services.notifications.rate import RateGate
from services.notifications.rounds import Rounds
from services.notifications.settings import MailSettings, ReminderSettings

log = structlog.get_logger(__name__)


class DeliveryLoop:
    """Sends what is due until it is stopped. Woken from the outside; sweeps by itself every few seconds."""

    def __init__(
        self,
        engine: Engine,
        settings: ReminderSettings,
        mail: MailSettings,
        gate: RateGate,
        heartbeat: Path | None = None,
    ) -> None:
        self._settings = settings
        self._mail = mail
        self._gate = gate
        self._heartbeat = heartbeat
        self._rounds = Rounds(engine, settings)
        self._stop_asked = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._courier: Courier | None = None

    def wake(self) -> None:
        """There may be something to do."""
        self._tell(lambda courier: courier.wake())

    def stop(self) -> None:
        """Ends when what is on the wire is answered, or the grace is over."""
        self._stop_asked.set()
        self._tell(lambda courier: courier.stop())

    def _tell(self, what: Callable[["Courier"], None]) -> None:
        loop, courier = self._loop, self._courier
        if loop is not None and courier is not None and not loop.is_closed():
            try:
                loop.call_soon_threadsafe(what, courier)
            except RuntimeError:
                log.debug("delivery.loop_closed")

    def run(self) -> None:
        """Plans and sends until stopped; a database or mail server that is away is waited for."""
        self._run(once=False)

    def work_once(self) -> int:
        """Plans, and sends until nothing is due or the server is away; returns how many were answered."""
        return self._run(once=True)

    def _run(self, once: bool) -> int:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(self._main(once))

    async def _main(self, once: bool) -> int:
        self._loop = asyncio.get_running_loop()
        self._courier = Courier(self._rounds, self._settings, self._mail, self._gate, self._heartbeat)
        if self._stop_asked.is_set():
            return 0
        return await self._courier.run(once)


def run_until_dead(loop: DeliveryLoop, on_death: Callable[[], None]) -> threading.Thread:
    """Runs the loop in a thread; whatever ends it, `on_death` is called, so that no process lives on idle."""

    def run() -> None:
        try:
            loop.run()
        finally:
            on_death()

    thread = threading.Thread(target=run, name="delivery", daemon=True)
    thread.start()
    return thread
