import asyncio
import time
from typing import Any

import pytest
from limits import parse
from limits.aio.storage import MemoryStorage
from limits.errors import StorageError

from gateway.limits import REDIS_PAUSE_SECONDS, RateLimiter
from shared.addresses import network_of

pytestmark = pytest.mark.anyio
TWO, ONE = parse("2/minute"), parse("1/minute")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Unwell(MemoryStorage):
    """A storage that fails or hangs as long as it is told to."""

    fails = True
    hangs = False
    asked = 0

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        self.asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.fails:
            raise StorageError(ConnectionError())
        return await super().incr(key, expiry, amount)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_the_use_after_the_last_allowed_one_waits_at_most_its_window() -> None:
    limiter = RateLimiter()
    waits = [await limiter.wait_seconds(TWO, "POST /a", "192.0.2.1") for _ in range(3)]
    assert waits[:2] == [0, 0]
    assert 0 < waits[2] <= 60


async def test_waiting_as_long_as_told_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    limiter, start = RateLimiter(), time.time()
    await limiter.wait_seconds(ONE, "POST /a", "192.0.2.1")
    wait = await limiter.wait_seconds(ONE, "POST /a", "192.0.2.1")
    monkeypatch.setattr(time, "time", lambda: start + wait + 0.01)
    assert await limiter.wait_seconds(ONE, "POST /a", "192.0.2.1") == 0


async def test_clients_and_routes_are_counted_apart() -> None:
    limiter = RateLimiter()
    for route, address in (("POST /a", "192.0.2.1"), ("POST /a", "192.0.2.2"), ("POST /b", "192.0.2.1")):
        assert await limiter.wait_seconds(ONE, route, address) == 0


def test_addresses_of_one_ipv6_network_are_one_client() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::2") != network_of("2001:db8:0:1::1")
    assert network_of("192.0.2.1") == "192.0.2.1"
    assert network_of("unknown") == "unknown"


@pytest.mark.parametrize("fault", ["fails", "hangs"])
async def test_while_redis_is_away_the_gateway_counts_by_itself(fault: str) -> None:
    storage: Any = Unwell()
    storage.fails, storage.hangs = fault == "fails", fault == "hangs"
    limiter = RateLimiter(redis=storage, clock=Clock())
    waits = [await limiter.wait_seconds(TWO, "POST /a", "192.0.2.1") for _ in range(3)]
    assert waits[:2] == [0, 0]
    assert waits[2] > 0
    assert storage.asked == 1, "an absent Redis is not waited for at every request"


async def test_redis_is_used_again_when_it_is_back() -> None:
    storage, clock = Unwell(), Clock()
    limiter = RateLimiter(redis=storage, clock=clock)
    await limiter.wait_seconds(ONE, "POST /a", "192.0.2.1")
    storage.fails = False
    clock.now += REDIS_PAUSE_SECONDS
    assert await limiter.wait_seconds(ONE, "POST /a", "192.0.2.1") == 0
    assert storage.asked == 2
