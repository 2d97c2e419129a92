"""A bare FastAPI app that answers JSON of the size it is asked for: what doing nothing costs."""

import sys

import uvicorn
from fastapi import FastAPI

app = FastAPI(openapi_url=None)


@app.get("/api/notifications/echo/{size}/")
async def echo(size: int) -> dict[str, str]:
    """A body of `size` bytes, at least 11."""
    return {"echo": "x" * (size - 11)}


@app.get("/health/live")
async def live() -> dict[str, str]:
    return {"status": "ok"}


if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_config=None,
        access_log=False,
        server_header=False,
    )
