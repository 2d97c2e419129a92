"""Runs an app until SIGTERM."""

from fastapi import FastAPI


def serve(app: FastAPI, bind: tuple[str, int]) -> None:
    """Listens on `(host, port)`; requests in hand have 10 s to end."""
    import uvicorn

    host, port = bind
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
        limit_concurrency=500,
    )
