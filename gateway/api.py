"""The door: every request comes in here, is answered by a page of ours or by a service, and is logged."""

import time
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from gateway import docs_page
from gateway.errors import GatewayError, MethodRefusedError, NotRoutedError, TooManyAttemptsError, problem
from gateway.headers import Caller, identify
from gateway.limits import RateLimiter
from gateway.metrics import observe
from gateway.openapi import Catalogue
from gateway.proxy import Proxy, stamp
from gateway.routes import find_service, is_limited
from gateway.settings import Settings
from shared.tracing import span

log = structlog.get_logger(__name__)

Page = Callable[[], Awaitable[web.Response]]
HealthCheck = Callable[[], Awaitable[tuple[int, dict[str, object]]]]


class Gateway:
    """Answers one request at a time with `handle`; any number at once."""

    def __init__(
        self, settings: Settings, proxy: Proxy, limiter: RateLimiter, catalogue: Catalogue, check: HealthCheck
    ) -> None:
        self._trusted = settings.trusted_proxies
        self._proxy = proxy
        self._limiter = limiter
        self._catalogue = catalogue
        self._check = check
        self._pages: dict[str, Page] = {
            "": self._index,
            "/health": self._health,
            "/health/live": self._live,
            "/openapi.json": self._openapi,
            "/docs": self._docs,
        }

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer to any request, refusals included; one log line each."""
        started = time.perf_counter()
        caller = identify(request, self._trusted)
        path = request.rel_url.raw_path
        service = find_service(path)
        status = 500
        try:
            with span(f"{request.method} gateway", "server", request.headers.get("traceparent")):
                response = await self._answer(request, path, service, caller)
            status = response.status
        finally:
            observe(service, status, time.perf_counter() - started)
            log.info(
                "request",
                request_id=caller.request_id,
                method=request.method,
                path=path,
                status=status,
                duration_ms=round((time.perf_counter() - started) * 1000, 1),
                upstream=service,
            )
        return response

    async def _answer(
        self, request: web.BaseRequest, path: str, service: str | None, caller: Caller
    ) -> web.StreamResponse:
        try:
            if service is None:
                response: web.StreamResponse = await self._page(request.method, path)
            else:
                self._limit(request.method, path, caller)
                response = await self._proxy.forward(request, service, caller)
        except GatewayError as error:
            response = error.response()
        if not response.prepared:
            stamp(response, caller)
        return response

    def _limit(self, method: str, path: str, caller: Caller) -> None:
        if is_limited(method, path) and (wait := self._limiter.wait_seconds(caller.address)):
            raise TooManyAttemptsError(wait)

    async def _page(self, method: str, path: str) -> web.Response:
        page = self._pages.get(path.removesuffix("/"))
        if page is None:
            raise NotRoutedError
        if method not in ("GET", "HEAD"):
            raise MethodRefusedError
        return await page()

    async def _index(self) -> web.Response:
        links = {"api": "/api/", "docs": "/docs", "openapi": "/openapi.json", "health": "/health"}
        return web.json_response({"name": "DicoEvent", "links": links})

    async def _live(self) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _health(self) -> web.Response:
        status, body = await self._check()
        return web.json_response(body, status=status, headers={"Cache-Control": "no-store"})

    async def _openapi(self) -> web.Response:
        return web.json_response(await self._catalogue.document())

    async def _docs(self) -> web.Response:
        page = docs_page.render(await self._catalogue.document())
        policy = {"Content-Security-Policy": docs_page.SECURITY_POLICY}
        return web.Response(text=page, content_type="text/html", headers=policy)


class Connection(web.RequestHandler):
    """aiohttp's connection, but what it refuses by itself is a JSON problem as well."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """A problem without internals: for a request that is not HTTP, or an error of ours."""
        super().handle_error(request, status, exc, message)  # logs it; raises if an answer has begun
        detail = "Something went wrong." if status >= 500 else "The request is not valid HTTP."
        response = problem(status, detail)
        response.force_close()
        return response


class Server(web.Server):
    """aiohttp's server with our connections."""

    def __call__(self) -> Connection:
        """A handler for a new connection."""
        return Connection(self, loop=self._loop, **self._kwargs)
