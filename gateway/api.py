"""The door: every request comes in here, is answered by a page of ours or by a service, and is logged."""

import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from gateway import docs_page
from gateway.access_log import AccessLog
from gateway.cors import Cors
from gateway.errors import (
    BodyTooLargeError,
    FileTooLargeError,
    GatewayError,
    MethodRefusedError,
    NotRoutedError,
    TooManyAttemptsError,
    as_json,
    problem,
)
from gateway.headers import REQUEST_ID, Caller, identify, secure
from gateway.limits import RateLimiter
from gateway.metrics import observe
from gateway.openapi import Catalogue
from gateway.proxy import Proxy
from gateway.routes import METHODS, Route, Routes
from gateway.settings import Settings
from shared.tracing import span

Page = Callable[[], Awaitable[web.Response]]
# A service that was away is in the document again soon after.
_A_WHILE = {"Cache-Control": "max-age=5"}

HealthCheck = Callable[[], Awaitable[tuple[int, dict[str, object]]]]


class Gateway:
    """Answers one request at a time with `handle`; any number at once."""

    def __init__(
        self,
        settings: Settings,
        proxy: Proxy,
        limiter: RateLimiter,
        catalogue: Catalogue,
        check: HealthCheck,
        access_log: AccessLog | None,
    ) -> None:
        self._trusted = settings.trusted_proxies
        self._routes = Routes(settings.table)
        self._cors = Cors(settings.cors_origins)
        self._proxy = proxy
        self._limiter = limiter
        self._catalogue = catalogue
        self._check = check
        self._log = access_log
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
        route = self._routes.find(path)
        status = 500
        try:
            with span(f"{request.method} gateway", "server", request.headers.get("traceparent")):
                response = await self._answer(request, path, route, caller)
            status = response.status
        finally:
            seconds = time.perf_counter() - started
            upstream = route.service if route else None
            observe(upstream, status, seconds)
            if self._log:
                self._log.note(caller.request_id, request.method, path, status, seconds, upstream)
        return response

    async def _answer(
        self, request: web.BaseRequest, path: str, route: Route | None, caller: Caller
    ) -> web.StreamResponse:
        def stamp(response: web.StreamResponse) -> None:
            self._stamp(response, request, caller)

        try:
            if self._cors.is_preflight(request.method, request.headers):
                response: web.StreamResponse = web.Response(
                    status=204, headers=self._cors.preflight(request.headers)
                )
            elif route is None:
                response = await self._page(request.method, path)
            else:
                await self._admit(request.method, route, caller)
                response = await self._proxy.forward(request, route.service, caller, stamp)
        except BodyTooLargeError as error:
            field = route.oversize_field if route else ""
            response = (FileTooLargeError(field) if field else error).response()
        except GatewayError as error:
            response = error.response()
        if not response.prepared:
            stamp(response)
        return response

    async def _admit(self, method: str, route: Route, caller: Caller) -> None:
        """Raises if the method is none for services, or if this client has used this route too often."""
        if method not in METHODS:
            raise MethodRefusedError(METHODS)
        method = "GET" if method == "HEAD" else method
        if limit := route.limits.get(method):
            wait = await self._limiter.wait_seconds(limit, f"{method} {route.prefix}", caller.address)
            if wait:
                raise TooManyAttemptsError(wait)

    def _stamp(self, response: web.StreamResponse, request: web.BaseRequest, caller: Caller) -> None:
        """Puts on an answer the request's id, a name without a version, and what browsers are to heed."""
        headers = response.headers
        headers[REQUEST_ID] = caller.request_id
        headers["Server"] = "DicoEvent"
        secure(headers, caller.scheme)
        for name, value in self._cors.headers(request.headers).items():
            if name == "Vary":
                headers.add(name, value)
            else:
                headers[name] = value

    async def _page(self, method: str, path: str) -> web.Response:
        page = self._pages.get(path.removesuffix("/"))
        if page is None:
            raise NotRoutedError
        if method not in ("GET", "HEAD"):
            raise MethodRefusedError(("GET", "HEAD"))
        return await page()

    async def _index(self) -> web.Response:
        links = {"api": "/api/", "docs": "/docs", "openapi": "/openapi.json", "health": "/health"}
        return as_json({"name": "DicoEvent", "links": links})

    async def _live(self) -> web.Response:
        return as_json({"status": "ok"})

    async def _health(self) -> web.Response:
        status, body = await self._check()
        return as_json(body, status=status, headers={"Cache-Control": "no-store"})

    async def _openapi(self) -> web.Response:
        data = (await self._catalogue.publication()).data
        return web.Response(body=data, content_type="application/json", headers=_A_WHILE)

    async def _docs(self) -> web.Response:
        page = (await self._catalogue.publication()).page
        headers = {"Content-Security-Policy": docs_page.SECURITY_POLICY, **_A_WHILE}
        return web.Response(body=page, content_type="text/html", charset="utf-8", headers=headers)


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
