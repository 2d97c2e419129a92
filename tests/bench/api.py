"""The API's speed: reads beside a bare echo behind the same gateway, the gateway beside nginx, and orders.

All of it in one run on one machine, in interleaved rounds; 16 keep-alive clients.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

import httpx
import psycopg2

from tests.bench import load
from tests.bench.load import Job, Result
from tests.bench.stage import Stage, own_system, staged
from tests.e2e.client import RunningSystem, make_event, must

GOAL_READ, GOAL_NGINX, GOAL_ORDERS, GOAL_P99_MS = 0.7, 0.5, 400, 100
LISTED = 100


@dataclass(frozen=True)
class Plan:
    """How long is measured; `quota` is what the hot type of the sell-out has."""

    rounds: int = 3
    seconds: float = 5.0
    clients: int = 16
    types: int = 100
    quota: int = 500


QUICK = Plan(rounds=1, seconds=0.3, types=4, quota=20)


@dataclass(frozen=True)
class Row:
    """One measured thing; the median of its rounds. `ratio` is to its yardstick in the same round."""

    name: str
    results: Sequence[Result]
    ratio: float | None = None
    goal: str = ""

    @property
    def rate(self) -> float:
        return statistics.median(result.rate for result in self.results)

    def line(self) -> str:
        p50, p99 = (statistics.median(getattr(r, p) for r in self.results) for p in ("p50", "p99"))
        ratio = f"{self.ratio:.2f}" if self.ratio is not None else ""
        failed = "" if self.failed == 0 else f"  {self.failed} FAILED"
        return (
            f"{self.name:<44}{self.rate:>8.0f}{p50:>9.1f}{p99:>9.1f}{ratio:>8}  {self.goal}{failed}".rstrip()
        )

    @property
    def failed(self) -> int:
        """Answers that were no success."""
        good = ("2xx", "200", "201")
        return sum(
            n for result in self.results for status, n in result.statuses.items() if status not in good
        )


@dataclass(frozen=True)
class Sale:
    """What a sale left: successes told to the clients, and what the database says."""

    told: int
    orders: int
    outbox: int
    quota: int | None = None

    @property
    def kept(self) -> bool:
        return self.told == self.orders == self.outbox and self.quota in (None, self.orders)


@dataclass(frozen=True)
class Report:
    """Everything that was measured, and where."""

    rows: Sequence[Row]
    sales: Sequence[Sale]
    notes: Sequence[str]

    def text(self) -> str:
        head = f"{'':<44}{'per s':>8}{'p50 ms':>9}{'p99 ms':>9}{'ratio':>8}  goal"
        sales = [
            f"  {sale.told} orders told, {sale.orders} in the database, {sale.outbox} outbox rows"
            + (f", quota {sale.quota}" if sale.quota else "")
            + (": exact" if sale.kept else ": WRONG")
            for sale in self.sales
        ]
        return "\n".join([*self.notes, "", head, *(row.line() for row in self.rows), "", *sales, ""])


def main(arguments: Sequence[str]) -> int:
    """Measures and prints; 1 when a quota or an outbox was not kept (slow is no failure)."""
    parser = argparse.ArgumentParser(prog="scripts/bench api", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="shows in seconds that the bench works; no figures"
    )
    parser.add_argument(
        "--rounds", type=int, default=Plan.rounds, help="interleaved rounds (default %(default)s)"
    )
    parser.add_argument(
        "--seconds", type=float, default=Plan.seconds, help="of each round (default %(default)s)"
    )
    chosen = parser.parse_args(arguments)
    plan = QUICK if chosen.quick else Plan(chosen.rounds, chosen.seconds)
    with own_system() as system:
        report = measure(system, plan)
    sys.stdout.write(report.text())
    return 0 if all(sale.kept for sale in report.sales) else 1


def measure(system: RunningSystem, plan: Plan) -> Report:
    """Runs the plan against a system that runs on this machine."""
    load_before = os.getloadavg()[0]
    with ExitStack() as stack:
        _, admin = system.new_user("admin")
        stack.callback(admin.close)
        stage = stack.enter_context(staged(system))
        reads, read_notes = _reads(stage, admin, plan)
        orders, sales = _orders(system, stage, admin, plan)
    return Report([*reads, *orders], sales, [*_machine(stage, plan, load_before), *read_notes])


def _reads(stage: Stage, admin: httpx.Client, plan: Plan) -> tuple[list[Row], list[str]]:
    events = [make_event(admin, timedelta(days=30 + n)) for n in range(LISTED)]
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


def _orders(
    system: RunningSystem, stage: Stage, admin: httpx.Client, plan: Plan
) -> tuple[list[Row], list[Sale]]:
    tokens = [system.new_user()[1].headers["Authorization"] for _ in range(plan.clients)]

    def sell(ticket_ids: Sequence[str]) -> Result:
        return load.send(Job(stage.gateway, plan.seconds, _shares(tokens, ticket_ids)))

    hot = make_event(admin, timedelta(days=9), quota=1_000_000)
    broad = make_event(admin, timedelta(days=9), quota=1_000_000)
    types = [broad["ticket_id"], *(_ticket_type(admin, broad["id"]) for _ in range(plan.types - 1))]
    last = make_event(admin, timedelta(days=9), quota=plan.quota)
    hot_results, broad_results = [], []
    for _ in range(plan.rounds):
        hot_results.append(sell([hot["ticket_id"]]))
        broad_results.append(sell(types))
    sold_out = sell([last["ticket_id"]])
    while sold_out.statuses.get("409", 0) == 0:
        sold_out = Result(
            sold_out.seconds, _added(sold_out.statuses, sell([last["ticket_id"]]).statuses), 0.0, 0.0
        )
    goal = f"{GOAL_ORDERS}/s, p99 < {GOAL_P99_MS} ms"
    rows = [
        Row("orders on one hot type", hot_results, None, goal),
        Row(f"orders on {plan.types} types", broad_results, None, goal),
    ]
    counted = [(hot, hot_results, None), (broad, broad_results, None), (last, [sold_out], plan.quota)]
    return rows, [_sale(system, event["id"], results, quota) for event, results, quota in counted]


def _added(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {status: one.get(status, 0) + other.get(status, 0) for status in {*one, *other}}


def _shares(tokens: Sequence[str], ticket_ids: Sequence[str]) -> list[list[str]]:
    """For each client an order of every type, each client beginning with another."""
    shares = []
    for number, token in enumerate(tokens):
        start = number * len(ticket_ids) // len(tokens)
        turn = [*ticket_ids[start:], *ticket_ids[:start]]
        shares.append([_order(token, ticket_id) for ticket_id in turn])
    return shares


def _order(token: str, ticket_id: str) -> str:
    body = f'{{"ticket_id":"{ticket_id}"}}'
    return (
        "POST /api/registrations/ HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        f"Authorization: {token}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )


def _ticket_type(admin: httpx.Client, event_id: str) -> str:
    body = {"event_id": event_id, "name": "Seat", "price": 10, "quota": 1_000_000}
    return must(admin.post("/api/tickets/", json=body), 201)["id"]


def _sale(system: RunningSystem, event_id: str, results: Sequence[Result], quota: int | None) -> Sale:
    url = system.env["TICKETS_DATABASE_URL"].replace("postgresql+psycopg2", "postgresql")
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM orders WHERE event_id = %s", (event_id,))
            orders = cursor.fetchone()[0]
            cursor.execute(
                "SELECT count(*) FROM outbox WHERE type = 'ticket.ordered'"
                " AND envelope->'data'->'event'->>'id' = %s",
                (event_id,),
            )
            outbox = cursor.fetchone()[0]
    finally:
        connection.close()
    return Sale(sum(result.statuses.get("201", 0) for result in results), orders, outbox, quota)


def _machine(stage: Stage, plan: Plan, load_before: float) -> list[str]:
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ("aiohttp", "fastapi", "uvicorn", "uvloop", "sqlalchemy", "redis")
    return [
        f"{len(os.sched_getaffinity(0))} cores of {model}, {memory:.0f} GB, load before {load_before:.2f}",
        f"Python {platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in packages),
        f"{_nginx_version()}; reads by {load.reader_name()}, orders by the client of tests/bench/load.py",
        f"{plan.clients} keep-alive clients, {plan.rounds} interleaved rounds of {plan.seconds:g} s; medians",
    ]


def _nginx_version() -> str:
    find: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run
    path = {"PATH": f"{os.environ['PATH']}:/usr/sbin"}
    try:
        said = find(["nginx", "-v"], env=path, capture_output=True, text=True, timeout=10, check=False)
    except FileNotFoundError:
        return "no nginx"
    return said.stderr.strip().removeprefix("nginx version: ")


def _lines(file: str) -> list[str]:
    return Path(file).read_text().splitlines() if Path(file).exists() else []
