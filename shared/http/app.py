"""A FastAPI app with the house's manners."""

import re
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.responses import JSONResponse

from shared.http.bodies import StrictJson
from shared.http.openapi import complete
from shared.http.problems import install_problem_handlers
from shared.logging import REQUEST_ID
from shared.messages import new_id
from shared.metrics.http import MeasuredRequests, metrics_router
from shared.tracing.http import TracedRequests

# Raises or returns a problem as text when what it looks at is not well; `vital` in make_api says which
# checks make the service "down" and which only "degraded".
Check = Callable[[], str | None]
Scope = MutableMapping[str, Any]
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")


class _Manners:
    """ASGI middleware: `/x/` is `/x` without a redirect; the request id goes into logs and the answer."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        if len(path) > 1 and path.endswith("/"):
            scope["path"] = path.rstrip("/") or "/"
        given = dict(scope["headers"]).get(b"x-request-id", b"")
        request_id = given.decode() if _REQUEST_ID.fullmatch(given) else new_id()

        async def send_with_id(event: MutableMapping[str, Any]) -> None:
            if event["type"] == "http.response.start":
                event["headers"] = [*event.get("headers", ()), (b"x-request-id", request_id.encode())]
                if scope["app"].state.draining:
                    event["headers"].append((b"connection", b"close"))
            await send(event)

        with structlog.contextvars.bound_contextvars(**{REQUEST_ID: request_id}):
            await self._app(scope, receive, send_with_id)


class _Api(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """The whole contract, made once: https://fastapi.tiangolo.com/how-to/extending-openapi/."""
        if self.openapi_schema is None:
            self.openapi_schema = complete(super().openapi())
        return self.openapi_schema


def make_api(
    title: str,
    vital: Mapping[str, Check],
    useful: Mapping[str, Check] | None = None,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None,
) -> FastAPI:
    """An app with problem answers, both slash forms, request ids, `/health` and `/health/live`.

    A failing `vital` check makes it `down`, 503; a failing `useful` one `degraded`, 200.
    """
    app = _Api(
        title=title,
        version="1",
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        # Clients of old send JSON without saying so; a token in a header cannot be sent by a strange page.
        strict_content_type=False,
    )
    # Set by the server when it is told to end: shared/http/server.py.
    app.state.draining = False
    install_problem_handlers(app)
    app.add_middleware(StrictJson)
    app.add_middleware(TracedRequests)
    app.add_middleware(MeasuredRequests)
    app.add_middleware(_Manners)
    app.include_router(metrics_router())

    @app.get("/health/live", include_in_schema=False)
    async def live() -> JSONResponse:
        draining = app.state.draining
        return JSONResponse({"status": "draining" if draining else "ok"}, 503 if draining else 200)

    @app.get("/health", include_in_schema=False)
    def health() -> JSONResponse:
        return _health(vital, useful or {})

    return app


def _health(vital: Mapping[str, Check], useful: Mapping[str, Check]) -> JSONResponse:
    checks = {**vital, **useful}
    with ThreadPoolExecutor(len(checks) or 1) as pool:
        results = dict(zip(checks, pool.map(_run, checks.values()), strict=True))
    failed = {name for name, result in results.items() if result["status"] != "ok"}
    status = "down" if failed & set(vital) else "degraded" if failed else "ok"
    return JSONResponse({"status": status, "checks": results}, 503 if status == "down" else 200)


def _run(check: Check) -> dict[str, Any]:
    started = time.perf_counter()
    problem = check()
    latency = round((time.perf_counter() - started) * 1000, 2)
    return {"status": "ok" if problem is None else "down", "latency_ms": latency}
