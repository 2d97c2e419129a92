"""Runs an app until SIGTERM."""

import signal
import sys

from fastapi import FastAPI


def serve(app: FastAPI, bind: tuple[str, int]) -> None:
    """Listens on `(host, port)`; requests in hand have 10 s to end."""
    import uvicorn

    # uvicorn stops in order and then raises the signal again, which would end this as a crash.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    host, port = bind
    uvicorn.run(
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
