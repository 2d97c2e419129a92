"""Reads through the gateway, beside an echo of the same size behind the same gateway, and behind nginx."""

import statistics
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.bench import load
from tests.bench.load import Result
from tests.bench.report import Plan, Row
from tests.bench.stage import Stage
from tests.e2e.client import must

GOAL_READ, GOAL_NGINX = 0.7, 0.5
LISTED = 100


def reads(stage: Stage, admin: httpx.Client, plan: Plan) -> tuple[list[Row], list[str]]:
    """The rows, and notes on what was read."""
    events = [_event(admin, timedelta(days=30 + n)) for n in range(LISTED)]
    gateway, notes = f"http://127.0.0.1:{stage.gateway}", []
    targets: dict[str, str] = {}
    for name, path in {
        "one event": f"/api/events/{events[0]['id']}/",
        f"the list of {LISTED} events": f"/api/events/?page_size={LISTED}",
    }.items():
        size, source = _warm(gateway + path)
        notes.append(f"{name}: {size} bytes, X-Data-Source: {source}")
        targets[name] = gateway + path
        targets[f"  echo of {size} bytes, same gateway"] = f"{gateway}/api/notifications/echo/{size}/"
        if name == "one event" and stage.nginx:
            nginx = f"http://127.0.0.1:{stage.nginx}/api/notifications/echo/{size}/"
            targets[f"  echo of {size} bytes, nginx proxy_pass"] = nginx
    names, results = list(targets), _interleaved(targets, plan)
    event, echo, *rest = names
    rows = [Row(event, results[event], _ratio(results[event], results[echo]), f"{GOAL_READ}")]
    if stage.nginx:
        nginx, *rest = rest
        ratio = _ratio(results[echo], results[nginx])
        rows += [Row(echo, results[echo], ratio, f"{GOAL_NGINX} of nginx"), Row(nginx, results[nginx])]
    else:
        rows.append(Row(echo, results[echo]))
        notes.append("nginx is not there: the gateway has no yardstick in this run")
    listed, list_echo = rest
    rows.append(Row(listed, results[listed], _ratio(results[listed], results[list_echo]), f"{GOAL_READ}"))
    return [*rows, Row(list_echo, results[list_echo])], notes


def _event(admin: httpx.Client, starts_in: timedelta) -> dict[str, Any]:
    start = datetime.now(UTC) + starts_in
    body = {
        "name": "Malam Jazz",
        "description": "Three bands, one evening, on the river.",
        "location": "Kota Tua, Jakarta",
        "start_time": start.isoformat(timespec="seconds"),
        "end_time": (start + timedelta(hours=2)).isoformat(timespec="seconds"),
        "status": "scheduled",
        "quota": 500,
        "category": "music",
    }
    return must(admin.post("/api/events/", json=body), 201)


def _warm(url: str) -> tuple[int, str]:
    """The size of a body and where it came from, once it is in the cache."""
    for _ in range(3):
        answer = httpx.get(url, timeout=30)
    must(answer, 200)
    return len(answer.content), answer.headers.get("X-Data-Source", "none")


def _interleaved(targets: dict[str, str], plan: Plan) -> dict[str, list[Result]]:
    results: dict[str, list[Result]] = {name: [] for name in targets}
    for _ in range(plan.rounds):
        for name, url in targets.items():
            results[name].append(load.read(url, plan.clients, plan.seconds))
    return results


def _ratio(results: Sequence[Result], yardstick: Sequence[Result]) -> float:
    return statistics.median(a.rate / b.rate for a, b in zip(results, yardstick, strict=True))
