"""How the services are: every replica, asked at once."""

import asyncio
import json
import time

import aiohttp

from gateway.upstreams import Pool, Pools

DEADLINE_SECONDS = 2.0

Check = dict[str, str | float]


async def check_all(
    session: aiohttp.ClientSession, pools: Pools, deadline: float = DEADLINE_SECONDS
) -> tuple[int, dict[str, object]]:
    """A status code and `{"status", "checks": {service: {"status", "latency_ms"}}}`; 503 if one is down."""
    checks = await asyncio.gather(*(_check(session, pool, deadline) for pool in pools.values()))
    status = worst([str(check["status"]) for check in checks])
    body: dict[str, object] = {"status": status, "checks": dict(zip(pools, checks, strict=True))}
    return 503 if status == "down" else 200, body


def worst(statuses: list[str]) -> str:
    """The worst of several services: `down` before `degraded` before `ok`."""
    return next((status for status in ("down", "degraded") if status in statuses), "ok")


def together(statuses: list[str]) -> str:
    """What several replicas of one service are: down only when all of them are."""
    if "down" not in statuses:
        return worst(statuses)
    return "down" if all(status == "down" for status in statuses) else "degraded"


async def _check(session: aiohttp.ClientSession, pool: Pool, deadline: float) -> Check:
    started = time.monotonic()
    statuses = await asyncio.gather(*(_ask(session, replica.base, deadline) for replica in pool.replicas))
    latency = round((time.monotonic() - started) * 1000, 1)
    return {"status": together(list(statuses)), "latency_ms": latency}


async def _ask(session: aiohttp.ClientSession, base: str, deadline: float) -> str:
    try:
        async with asyncio.timeout(deadline), session.get(f"{base}/health") as answer:
            return _status(answer.status, await answer.read())
    except (aiohttp.ClientError, OSError):
        return "down"


def _status(code: int, body: bytes) -> str:
    if code != 200:
        return "down"
    try:
        told = json.loads(body)
    except ValueError:
        return "down"
    known = isinstance(told, dict) and told.get("status") in ("ok", "degraded")
    return str(told["status"]) if known else "down"
