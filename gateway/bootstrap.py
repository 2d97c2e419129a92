"""All wiring of the gateway; the only place that builds things."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import aiohttp
from aiohttp import web

from gateway import health
from gateway.api import Gateway, Server
from gateway.limits import RateLimiter
from gateway.openapi import Catalogue
from gateway.proxy import Proxy, open_session
from gateway.settings import Settings

SHUTDOWN_SECONDS = 10.0


def build(settings: Settings, session: aiohttp.ClientSession, limiter: RateLimiter) -> Gateway:
    """A gateway that speaks to its services over `session`."""
    return Gateway(
        settings,
        Proxy(session, settings),
        limiter,
        Catalogue(session, settings.upstreams),
        partial(health.check_all, session, settings.upstreams),
    )


@asynccontextmanager
async def running(settings: Settings, limiter: RateLimiter | None = None) -> AsyncIterator[int]:
    """A listening gateway; gives its port. At the end, requests in flight get `SHUTDOWN_SECONDS`."""
    async with open_session() as session:
        gateway = build(settings, session, limiter or RateLimiter(settings.login_rate_per_minute))
        server = Server(gateway.handle, access_log=None, auto_decompress=False)
        runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_SECONDS)
        await runner.setup()
        try:
            await web.TCPSite(runner, settings.host, settings.port).start()
            yield runner.addresses[0][1]
        finally:
            await runner.cleanup()
