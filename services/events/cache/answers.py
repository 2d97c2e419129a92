"""Answers in Redis, each under the generation it was read with."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from services.events.cache.generation import GenerationReader

log = structlog.get_logger(__name__)

TTL_SECONDS = 3600
# How long a read may wait for Redis, and how long reads leave it alone after they waited in vain.
REDIS_SECONDS = 0.25
PAUSE_SECONDS = 1.0
# Redis also carries the queues, so this has a fixed size: (slots, largest answer in bytes), in all at most
# 160 MB, ordinarily 2 % of that. Keys that share a slot replace each other.
_DETAILS = (2048, 64 * 1024)
_LISTS = (128, 256 * 1024)


@dataclass(frozen=True, slots=True)
class Key:
    """Which answer: who may see it (`view`), and what was asked for."""

    view: str
    path: str
    query: bytes
    is_list: bool

    @property
    def text(self) -> bytes:
        return repr((self.view, self.path, self.query)).encode("utf-8", "backslashreplace")


class AnswerCache:
    """Finds and keeps answers; of one event loop. A read that Redis does not help is simply not found.

    Reads that come while another one asks wait for the next asking, which is one query and one MGET for
    all of them. It starts after each of them came, so it sees every change that was committed before.
    """

    def __init__(self, generations: GenerationReader, redis_url: str, meaning: str) -> None:
        """`meaning` tells apart what answers depend on besides the database: settings and their shape."""
        self._generations = generations
        self._redis = Redis.from_url(
            redis_url,
            socket_timeout=REDIS_SECONDS,
            socket_connect_timeout=REDIS_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._meaning = meaning.encode()
        self._waiting: list[tuple[Key, asyncio.Future[bytes | None]]] = []
        self._asking: asyncio.Task[None] | None = None
        self._probing: asyncio.Task[None] | None = None
        self._away_until: float | None = None

    async def find(self, key: Key) -> bytes | None:
        """The answer as the database would give it now, or None."""
        if not self._usable():
            return None
        found: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((key, found))
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        return await found

    async def keep(self, key: Key, generation: str, answer: bytes) -> None:
        """Keeps an answer for an hour; `generation` was read in the same snapshot."""
        slots, largest = _LISTS if key.is_list else _DETAILS
        if len(answer) > largest or not self._usable():
            return
        try:
            entry = self._mark(key, generation) + answer
            await self._redis.set(_slot(key, slots), entry, ex=TTL_SECONDS)
        except (RedisError, OSError, TimeoutError) as error:
            self._leave_alone(error)

    async def close(self) -> None:
        """Ends what is under way and closes the connections."""
        for task in (self._asking, self._probing):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        self._generations.close()
        await self._redis.aclose()

    async def _ask(self) -> None:
        batch: list[tuple[Key, asyncio.Future[bytes | None]]] = []
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                answers = await self._answers({key for key, _ in batch})
                _resolve(batch, answers)
        finally:
            self._asking = None
            _resolve([*batch, *self._waiting], {})
            self._waiting = []

    async def _answers(self, keys: set[Key]) -> Mapping[Key, bytes]:
        """What is kept under the generation that the database has now."""
        wanted = list(keys)
        slots = [_slot(key, (_LISTS if key.is_list else _DETAILS)[0]) for key in wanted]
        asked = asyncio.create_task(self._generations.read())
        try:
            entries = await self._redis.mget(slots)
        except (RedisError, OSError, TimeoutError) as error:
            self._leave_alone(error)
            entries = []
        finally:
            generation = await asked
        if generation is None or not entries:
            return {}
        found = {}
        for key, entry in zip(wanted, entries, strict=True):
            mark = self._mark(key, generation)
            if isinstance(entry, bytes) and entry.startswith(mark):
                found[key] = entry[len(mark) :]
        return found

    def _mark(self, key: Key, generation: str) -> bytes:
        return blake2b(b"\n".join((self._meaning, generation.encode(), key.text)), digest_size=32).digest()

    def _usable(self) -> bool:
        if self._away_until is None:
            return True
        if self._probing is None and time.monotonic() >= self._away_until:
            self._probing = asyncio.create_task(self._probe())
        return False

    def _leave_alone(self, error: Exception) -> None:
        if self._away_until is None:
            log.warning("cache.redis_away", error=f"{type(error).__name__}: {error}")
        self._away_until = time.monotonic() + PAUSE_SECONDS

    async def _probe(self) -> None:
        """Nobody waits for this one: reads go to the database until Redis has answered it."""
        try:
            await self._redis.ping()
            self._away_until = None
            log.info("cache.redis_back")
        except (RedisError, OSError, TimeoutError) as error:
            self._leave_alone(error)
        finally:
            self._probing = None


def _slot(key: Key, slots: int) -> str:
    kind = "list" if key.is_list else "detail"
    number = int.from_bytes(blake2b(key.text, digest_size=4).digest()) % slots
    return f"dicoevent:events:{kind}:{number}"


def _resolve(batch: list[tuple[Key, "asyncio.Future[bytes | None]"]], answers: Mapping[Key, bytes]) -> None:
    for key, found in batch:
        if not found.done():
            found.set_result(answers.get(key))
