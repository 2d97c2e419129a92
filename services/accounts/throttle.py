"""How many logins may fail, by name and by the client's address, before more are refused for a while."""

import math
import time
from collections.abc import Callable, Iterable
from hashlib import sha256

import structlog
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter

from services.accounts.errors import TooManyAttempts
from services.accounts.model import fold
from shared.addresses import network_of

log = structlog.get_logger(__name__)

KEY_PREFIX = "dicoevent-logins"
# Many people share one address (an office, a campus), so it may fail this often as one name.
ADDRESS_FACTOR = 5
REDIS_SECONDS = 0.25
REDIS_PAUSE_SECONDS = 5.0


class LoginThrottle:
    """Counts failures only: who knows his password may sign in as often as he likes.

    All processes count together in Redis, and each by itself as well, which is what holds while Redis is
    away. Attempts that are being checked at the same moment are not counted yet: a burst may try as many
    more as this process checks at once.
    """

    def __init__(
        self,
        per_minute: int,
        redis: RedisStorage | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name_limit = RateLimitItemPerMinute(per_minute)
        self._address_limit = RateLimitItemPerMinute(per_minute * ADDRESS_FACTOR)
        self._here = MovingWindowRateLimiter(MemoryStorage())
        self._shared = MovingWindowRateLimiter(redis) if redis else None
        self._clock = clock
        self._away_until = float("-inf")

    def check(self, username: str, address: str) -> None:
        """Raises TooManyAttempts for a name or an address that failed too often in the last minute."""
        wait = 0
        for limiter in self._limiters():
            try:
                wait = max(wait, *(_wait(limiter, *key) for key in self._keys(username, address)))
            except (StorageError, OSError) as error:
                self._pause(error)
        if wait:
            raise TooManyAttempts(wait)

    def failed(self, username: str, address: str) -> None:
        """Counts one failed login."""
        for limiter in self._limiters():
            try:
                for limit, *key in self._keys(username, address):
                    limiter.hit(limit, *key)
            except (StorageError, OSError) as error:
                self._pause(error)

    def _limiters(self) -> Iterable[MovingWindowRateLimiter]:
        yield self._here
        if self._shared and self._clock() >= self._away_until:
            yield self._shared

    def _keys(self, username: str, address: str) -> tuple[tuple[RateLimitItem, str, str], ...]:
        # Hashed: nobody reads names in Redis, and a name has any length and any letters.
        name = sha256(fold(username).encode()).hexdigest()
        return (self._name_limit, "name", name), (self._address_limit, "address", network_of(address))

    def _pause(self, error: Exception) -> None:
        log.warning("login_throttle.redis_away", error=f"{type(error).__name__}: {error}")
        self._away_until = self._clock() + REDIS_PAUSE_SECONDS


def _wait(limiter: MovingWindowRateLimiter, limit: RateLimitItem, kind: str, key: str) -> int:
    if limiter.test(limit, kind, key):
        return 0
    return max(1, math.ceil(limiter.get_window_stats(limit, kind, key).reset_time - time.time()))


def redis_storage(url: str) -> RedisStorage:
    """Where all processes count together. Needs no Redis to be made."""
    return RedisStorage(
        url,
        wrap_exceptions=True,
        key_prefix=KEY_PREFIX,
        socket_connect_timeout=REDIS_SECONDS,
        socket_timeout=REDIS_SECONDS,
    )
