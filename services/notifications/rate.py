"""MAIL_RATE_PER_SECOND: one token bucket for all workers, in Redis; one's own while that is away."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import redis
import structlog

log = structlog.get_logger(__name__)

_BUCKET, _REST, _WORKERS = "dicoevent:mail:bucket", "dicoevent:mail:rest", "dicoevent:mail:workers"
# Which worker finds the mail relay away; it goes away by itself when nobody does any more.
AWAY_KEY = "dicoevent:mail:away"
_AWAY_TOLD_SECONDS = 15
_AWAY_SECONDS = 5.0
_LONGEST_REST = 30.0

# Times are Redis's own, so that the workers' clocks do not matter. Answers {granted, rest in ms, workers}.
_TAKE = """
local rest = redis.call('PTTL', KEYS[2])
local t = redis.call('TIME')
local now = tonumber(t[1]) + tonumber(t[2]) / 1000000
redis.call('ZADD', KEYS[3], now, ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - 30)
redis.call('EXPIRE', KEYS[3], 60)
local workers = redis.call('ZCARD', KEYS[3])
local want, rate = tonumber(ARGV[2]), tonumber(ARGV[1])
if rest > 0 then return {0, rest, workers} end
if rate == 0 then return {want, 0, workers} end
local b = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = math.min(rate, (tonumber(b[1]) or 0) + math.max(0, now - (tonumber(b[2]) or now - 0.1)) * rate)
local granted = math.min(want, math.floor(tokens))
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens - granted), 'at', tostring(now))
redis.call('EXPIRE', KEYS[1], 60)
return {granted, 0, workers}
"""


@dataclass(slots=True)
class LocalBucket:
    """A token bucket that holds a second's worth; starts with a tenth of it."""

    rate: float
    tokens: float = -1.0
    at: float = 0.0

    def take(self, want: int, now: float) -> int:
        """How many of `want` may go now."""
        if self.tokens < 0:
            self.tokens, self.at = max(1.0, self.rate / 10), now
        self.tokens = min(max(1.0, self.rate), self.tokens + (now - self.at) * self.rate)
        self.at = now
        granted = min(want, int(self.tokens))
        self.tokens -= granted
        return granted


@dataclass(slots=True)
class RateGate:
    """Lets `rate` mails a second through over all workers (0: no limit), and none while the relay rests."""

    client: redis.Redis | None
    rate: int
    worker: str
    clock: Callable[[], float] = time.monotonic
    _local: LocalBucket = field(init=False)
    _away_until: float = field(default=0.0, init=False)
    _rest_until: float = field(default=0.0, init=False)
    _asked_at: float = field(default=-1.0, init=False)
    _rest: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._local = LocalBucket(self.rate)

    @property
    def free(self) -> bool:
        """Whether a take() would be granted without asking anybody."""
        now = self.clock()
        return not self.rate and now >= self._rest_until and now - self._asked_at < 0.5

    def take(self, want: int) -> int:
        """How many of `want` mails may go now. Blocks for a round trip to Redis, half a second at most."""
        now = self.clock()
        if now < self._rest_until:
            return 0
        answer = self._ask(want, now)
        if answer is None:
            return self._local.take(want, now) if self.rate else want
        granted, rest, workers = answer
        self._local.rate = self.rate / max(1, workers)
        self._rest_until = now + rest / 1000
        self._asked_at = now
        return granted

    def _ask(self, want: int, now: float) -> tuple[int, int, int] | None:
        if self.client is None or now < self._away_until:
            return None
        try:
            return self.client.eval(_TAKE, 3, _BUCKET, _REST, _WORKERS, self.rate, want, self.worker)
        except (redis.RedisError, OSError) as error:
            self._away_until = now + _AWAY_SECONDS
            log.warning("rate.redis_away", error=str(error), share=self._local.rate)
            return None

    def rest(self) -> float:
        """The relay is overloaded: all workers pause, for 1, 2, 4 .. 30 s; returns for how many."""
        now = self.clock()
        if now < self._rest_until:
            return self._rest_until - now
        self._rest = min(_LONGEST_REST, self._rest * 2 or 1.0)
        self._rest_until = now + self._rest
        if self.client is not None and now >= self._away_until:
            try:
                self.client.set(_REST, self.worker, px=int(self._rest * 1000))
            except (redis.RedisError, OSError) as error:
                self._away_until = now + _AWAY_SECONDS
                log.warning("rate.redis_away", error=str(error), share=self._local.rate)
        return self._rest

    def tell_away(self) -> None:
        """The breaker of this worker is open: `/health` says so for a while. Call it every few seconds."""
        if self.client is None or self.clock() < self._away_until:
            return
        try:
            self.client.set(AWAY_KEY, self.worker, ex=_AWAY_TOLD_SECONDS)
        except (redis.RedisError, OSError) as error:
            self._away_until = self.clock() + _AWAY_SECONDS
            log.warning("rate.redis_away", error=str(error), share=self._local.rate)

    def relax(self) -> None:
        """The relay takes mail again: the next rest is a short one."""
        if self._rest and self.clock() >= self._rest_until + self._rest:
            self._rest = 0.0
