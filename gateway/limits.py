"""How often one client may use one route: the library `limits`, counting in Redis or in this process."""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any

import structlog
from limits import RateLimitItem
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import StorageError
from redis.asyncio import ConnectionPool

from shared.addresses import network_of

log = structlog.get_logger(__name__)

# A login never waits longer than this for Redis, and then not at all for a while.
REDIS_DEADLINE_SECONDS = 0.25
REDIS_PAUSE_SECONDS = 5.0
KEY_PREFIX = "dicoevent-gateway"


class RateLimiter:
    """Counts by client and route. Fixed windows: one round trip, and a `Retry-After` that is exact.

    With Redis all gateways count together. While Redis is away, each counts by itself: a limit then is
    looser, but nobody is refused for it and nobody goes uncounted.
    """

    def __init__(
        self, redis_url: str = "", clock: Callable[[], float] = time.monotonic, redis: Storage | None = None
    ) -> None:
        self._here = FixedWindowRateLimiter(MemoryStorage())
        self._connections = _connections(redis_url) if redis_url else None
        storage = redis or (_redis(redis_url, self._connections) if self._connections else None)
        self._shared = FixedWindowRateLimiter(storage) if storage else None
        self._clock = clock
        self._away_until = float("-inf")

    async def wait_seconds(self, limit: RateLimitItem, route: str, address: str) -> int:
        """Takes one use: 0 if it is allowed, else whole seconds until the next one is."""
        client = network_of(address)
        if self._shared and self._clock() >= self._away_until:
            try:
                async with asyncio.timeout(REDIS_DEADLINE_SECONDS):
                    return await _take(self._shared, limit, route, client)
            except (StorageError, OSError) as error:
                self._away_until = self._clock() + REDIS_PAUSE_SECONDS
                log.warning("rate_limit.redis_away", reason=type(error).__name__)
        return await _take(self._here, limit, route, client)

    async def close(self) -> None:
        """Closes the connections to Redis."""
        if self._connections:
            await self._connections.aclose()


async def _take(limiter: FixedWindowRateLimiter, limit: RateLimitItem, route: str, client: str) -> int:
    if await limiter.hit(limit, route, client):
        return 0
    window = await limiter.get_window_stats(limit, route, client)
    return max(1, math.ceil(window.reset_time - time.time()))


def _connections(url: str) -> ConnectionPool:
    return ConnectionPool.from_url(
        url, socket_connect_timeout=REDIS_DEADLINE_SECONDS, socket_timeout=REDIS_DEADLINE_SECONDS
    )


def _redis(url: str, connections: Any) -> RedisStorage:
    return RedisStorage(
        f"async+{url}",
        wrap_exceptions=True,
        implementation="redispy",
        key_prefix=KEY_PREFIX,
        connection_pool=connections,
    )
