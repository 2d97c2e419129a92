"""The replicas of each service: who is asked next, who is left out until he is well again."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aiohttp
import structlog
from yarl import URL

log = structlog.get_logger(__name__)

PROBE_SECONDS = 1.0
PROBE_DEADLINE_SECONDS = 2.0


@dataclass
class Replica:
    """One process of a service; `base` is its URL without the closing slash."""

    service: str
    base: str
    up: bool = True


class Pool:
    """The replicas of one service, asked in turn."""

    def __init__(self, service: str, urls: Sequence[URL]) -> None:
        self.replicas = [Replica(service, str(url).rstrip("/")) for url in urls]
        self._turn = 0

    def __len__(self) -> int:
        return len(self.replicas)

    def choose(self, tried: Sequence[Replica] = ()) -> Replica:
        """The next in turn: one that is up and was not tried, else any that was not tried, else any.

        A replica that is down is better than none: a probe may have missed that it is back.
        """
        count = len(self.replicas)
        if count == 1:
            return self.replicas[0]
        self._turn = (self._turn + 1) % count
        turn = self.replicas[self._turn :] + self.replicas[: self._turn]
        fresh = [replica for replica in turn if replica not in tried]
        return next((replica for replica in fresh if replica.up), (fresh or turn)[0])

    def mark(self, replica: Replica, up: bool) -> None:
        """Notes how a replica is; the last one is never left out, as there is nobody else to ask."""
        if replica.up != up:
            log.warning("replica.up" if up else "replica.down", service=replica.service, url=replica.base)
        replica.up = up


Pools = Mapping[str, Pool]


def make_pools(upstreams: Mapping[str, Sequence[URL]]) -> Pools:
    """A pool for each service."""
    return {service: Pool(service, urls) for service, urls in upstreams.items()}


async def watch(pools: Pools, session: aiohttp.ClientSession, pause: float = PROBE_SECONDS) -> None:
    """Asks all replicas of pools with several of them for `/health/live`, until it is cancelled."""
    watched = [(pool, replica) for pool in pools.values() if len(pool) > 1 for replica in pool.replicas]
    await asyncio.gather(*(_watch(pool, replica, session, pause) for pool, replica in watched))


async def _watch(pool: Pool, replica: Replica, session: aiohttp.ClientSession, pause: float) -> None:
    """Each by itself: one that hangs must not keep the gateway from seeing that another drains."""
    while True:
        await _probe(pool, replica, session)
        await asyncio.sleep(pause)


async def _probe(pool: Pool, replica: Replica, session: aiohttp.ClientSession) -> None:
    try:
        async with (
            asyncio.timeout(PROBE_DEADLINE_SECONDS),
            # A connection of its own: one from the pool would be answered by a process that drains.
            session.get(f"{replica.base}/health/live", headers={"Connection": "close"}) as answer,
        ):
            pool.mark(replica, answer.status == 200)
    except (aiohttp.ClientError, OSError):
        pool.mark(replica, False)
