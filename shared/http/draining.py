"""An orderly end that costs no request of those who send to this process and others like it."""

import signal
import time
from types import FrameType

import uvicorn
from fastapi import FastAPI


class DrainingServer(uvicorn.Server):
    """A server that is told to end while a gateway still has connections to it.

    Closing an idle connection crosses with the request that is just written on it, and nobody may repeat that
    one when it is a POST (RFC 9110, 9.2.2). So nobody must want to write by the time they are closed.
    """

    def __init__(self, config: uvicorn.Config, app: FastAPI, drain: int) -> None:
        super().__init__(config)
        self._app = app
        self._drain = drain
        self._stop_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM begins to drain; a second one, or Ctrl-C, does not wait."""
        if sig != signal.SIGTERM or not self._drain or self._stop_at is not None:
            super().handle_exit(sig, frame)
            return
        self._app.state.draining = True
        self._stop_at = time.monotonic() + self._drain

    async def on_tick(self, counter: int) -> bool:
        """Asked ten times a second whether it is time to stop."""
        if self._stop_at is not None and time.monotonic() >= self._stop_at:
            super().handle_exit(signal.SIGTERM, None)
        return await super().on_tick(counter)
