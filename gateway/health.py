"""How the four services are, asked in parallel."""

import asyncio
import json
import time
from collections.abc import Mapping

import aiohttp
from yarl import URL

DEADLINE_SECONDS = 2.0

Check = dict[str, str | float]


async def check_all(
    session: aiohttp.ClientSession, upstreams: Mapping[str, URL], deadline: float = DEADLINE_SECONDS
) -> tuple[int, dict[str, object]]:
    """A status code and `{"status", "checks": {service: {"status", "latency_ms"}}}`; 503 if one is down."""
    checks = await asyncio.gather(*(_check(session, url, deadline) for url in upstreams.values()))
    status = overall([str(check["status"]) for check in checks])
    body: dict[str, object] = {"status": status, "checks": dict(zip(upstreams, checks, strict=True))}
    return 503 if status == "down" else 200, body


def overall(statuses: list[str]) -> str:
    """The worst of several: `down` before `degraded` before `ok`."""
    return next((status for status in ("down", "degraded") if status in statuses), "ok")


async def _check(session: aiohttp.ClientSession, base: URL, deadline: float) -> Check:
    started = time.monotonic()
    try:
        async with asyncio.timeout(deadline), session.get(base / "health") as answer:
            status = _status(answer.status, await answer.read())
    except (aiohttp.ClientError, OSError):
        status = "down"
    return {"status": status, "latency_ms": round((time.monotonic() - started) * 1000, 1)}


def _status(code: int, body: bytes) -> str:
    if code != 200:
        return "down"
    try:
        told = json.loads(body)
    except ValueError:
        return "down"
    known = isinstance(told, dict) and told.get("status") in ("ok", "degraded")
    return str(told["status"]) if known else "down"
