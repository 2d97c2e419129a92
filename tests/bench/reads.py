"""Reads through the gateway, beside an echo of the same size behind the same gateway, and behind nginx."""

import statistics
from collections.abc import Sequence
from datetime import timedelta

import httpx

from tests.bench import load
from tests.bench.load import Result
from tests.bench.report import Plan, Row
from tests.bench.stage import Stage
from tests.e2e.client import event_body, must

GOAL_READ, GOAL_NGINX = 0.7, 0.5


def reads(stage: Stage, admin: httpx.Client, plan: Plan) -> tuple[list[Row], list[str]]:
    """The rows, and notes on what was read."""
    bodies = [event_body(timedelta(days=30 + n)) for n in range(plan.listed)]
    events = [must(admin.post("/api/events/", json=body), 201) for body in bodies]
    detail = _url(stage.gateway, f"/api/events/{events[0]['id']}/")
    listing = _url(stage.gateway, f"/api/events/?page_size={plan.listed}")
    (size, source), (list_size, list_source) = _warm(detail), _warm(listing)
    targets = {
        "event": detail,
        "echo": _url(stage.gateway, _echo(size)),
        "list": listing,
        "list echo": _url(stage.gateway, _echo(list_size)),
    }
    if stage.nginx:
        targets["nginx"] = _url(stage.nginx, _echo(size))
    notes = [
        f"one event: {size} bytes, X-Data-Source: {source}",
        f"the list: {list_size} bytes, X-Data-Source: {list_source}",
    ]
    if not stage.nginx:
        notes.append("nginx is not there: the gateway has no yardstick in this run")
    return _rows(_interleaved(targets, plan), (size, list_size), plan.listed), notes


def _rows(found: dict[str, list[Result]], sizes: tuple[int, int], listed: int) -> list[Row]:
    def row(key: str, name: str, yardstick: str = "", goal: str = "") -> Row:
        ratio = _ratio(found[key], found[yardstick]) if yardstick in found else None
        return Row(name, found[key], ratio, goal if yardstick in found else "")

    rows = [
        row("event", "one event", "echo", f"{GOAL_READ}"),
        row("list", f"the list of {listed} events", "list echo", f"{GOAL_READ}"),
        row("echo", f"echo of {sizes[0]} bytes, same gateway", "nginx", f"{GOAL_NGINX} of nginx"),
        row("list echo", f"echo of {sizes[1]} bytes, same gateway"),
    ]
    return [*rows, row("nginx", f"echo of {sizes[0]} bytes, nginx proxy_pass")] if "nginx" in found else rows


def _url(port: int, path: str) -> str:
    return f"http://127.0.0.1:{port}{path}"


def _echo(size: int) -> str:
    return f"/api/notifications/echo/{size}/"


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
