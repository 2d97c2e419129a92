"""All wiring of the gateway; the only place that builds things."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import aiohttp
from aiohttp import web

from gateway import health, upstreams
from gateway.access_log import AccessLog
from gateway.api import Gateway, Server
from gateway.limits import RateLimiter
from gateway.openapi import Catalogue
from gateway.proxy import Proxy, open_session
from gateway.settings import Settings

SHUTDOWN_SECONDS = 10.0
# How long a client may keep a connection without a request on it, and how long he may take for a head.
IDLE_SECONDS = 75.0


def build(
    settings: Settings,
    session: aiohttp.ClientSession,
    pools: upstreams.Pools,
    limiter: RateLimiter,
    access_log: AccessLog,
) -> Gateway:
    """A gateway that speaks to its services over `session`."""
    return Gateway(
        settings,
        Proxy(session, pools, settings),
        limiter,
        Catalogue(session, pools),
        partial(health.check_all, session, pools),
        access_log if settings.log_requests else None,
    )


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[int]:
    """A listening gateway; gives its port. At the end, requests in flight get `SHUTDOWN_SECONDS`."""
    pools = upstreams.make_pools(settings.upstreams)
    limiter, access_log = RateLimiter(settings.rate_limit_redis_url), AccessLog(_write)
    async with open_session() as session:
        gateway = build(settings, session, pools, limiter, access_log)
        server = Server(
            gateway.handle, access_log=None, auto_decompress=False, keepalive_timeout=IDLE_SECONDS
        )
        runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_SECONDS)
        await runner.setup()
        watch = asyncio.create_task(upstreams.watch(pools, session))
        try:
            await web.TCPSite(runner, settings.host, settings.port).start()
            yield runner.addresses[0][1]
        finally:
            watch.cancel()
            await runner.cleanup()
            await limiter.close()
            access_log.flush()


def _write(lines: str) -> None:
    sys.stdout.write(lines)
    sys.stdout.flush()
