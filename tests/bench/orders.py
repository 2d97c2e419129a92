"""Orders through the gateway, on one hot ticket type and on many, and a type that sells out."""

from collections.abc import Sequence
from datetime import timedelta

import httpx
import psycopg2

from tests.bench import load
from tests.bench.load import Job, Result
from tests.bench.report import Plan, Row, Sale
from tests.bench.stage import Stage
from tests.e2e.client import RunningSystem, make_event, must

GOAL_ORDERS, GOAL_P99_MS = 400, 100


def orders(
    system: RunningSystem, stage: Stage, admin: httpx.Client, plan: Plan
) -> tuple[list[Row], list[Sale]]:
    """The rows, and for each event what was sold by whose count."""
    tokens = [system.new_user()[1].headers["Authorization"] for _ in range(plan.users)]
    tokens = [tokens[number % len(tokens)] for number in range(plan.clients)]

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
