"""Runs an app until SIGTERM, and lets whoever sends it requests look elsewhere before it stops listening."""

import signal
import sys
from contextlib import suppress

from fastapi import FastAPI

from shared.settings import Environment, integer


def read_drain(env: Environment) -> int:
    """For how many seconds a process that was told to end still answers: DRAIN_SECONDS."""
    return integer(env, "DRAIN_SECONDS", 5, 0, 300)


def serve(app: FastAPI, bind: tuple[str, int], drain: int = 0) -> None:
    """Listens on `(host, port)`. After SIGTERM it drains for so many seconds: everything is answered, but
    `/health/live` with 503, and no connection is kept. Then requests in hand have 10 s to end.
    """
    import uvicorn

    from shared.http.draining import DrainingServer

    # uvicorn stops in order and then raises the signal again, which would end this as a crash.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    host, port = bind
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        # Whom to believe about the client's address is for the app to say, not for uvicorn.
        proxy_headers=False,
        timeout_graceful_shutdown=10,
        limit_concurrency=500,
    )
    server = DrainingServer(config, app, drain)
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(uvicorn.server.STARTUP_FAILURE)
