"""Orders that share a transaction do not share their fate."""

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import sqlalchemy as sa

from services.tickets.api import Desk
from services.tickets.handlers.selling import OrderRequest
from services.tickets.model import Order
from services.tickets.tables import orders
from services.tickets.tests.house import OTHER, USER, person
from shared.auth import Principal


def ask(kind: dict[str, Any], who: str = USER) -> OrderRequest:
    return OrderRequest(kind["id"], who, Principal(who, "u", frozenset()), request_id=f"request-of-{who}")


def place(house: Any, requests: list[OrderRequest]) -> list[Any]:
    async def all_at_once() -> list[Any]:
        desk = Desk(house.engine)
        try:
            return await asyncio.gather(*map(desk.place, requests), return_exceptions=True)
        finally:
            desk.close()

    return asyncio.run(all_at_once())


def count_commits(house: Any, act: Callable[[], Any]) -> int:
    commits: list[object] = []
    sa.event.listen(house.engine, "commit", commits.append)
    act()
    return len(commits)


def test_what_comes_at_once_shares_commits_and_keeps_the_quota(house: Any) -> None:
    house.receive("user.registered", person(USER))
    kind = house.make_type(quota=30)
    results: list[Any] = []
    commits = count_commits(house, lambda: results.extend(place(house, [ask(kind) for _ in range(100)])))
    placed = [result for result in results if isinstance(result, Order)]
    assert len(placed) == len(house.published()) == 30
    assert {str(r) for r in results if not isinstance(r, Order)} == {"This ticket is sold out."}
    assert house.available(kind) == 0
    assert commits <= 4


def test_each_is_refused_for_its_own_reason(house: Any) -> None:
    for user_id in (USER, OTHER):
        house.receive("user.registered", person(user_id))
    kind, closed, full = (
        house.make_type(),
        house.make_type(sales_end="2000-01-01 00:00"),
        house.make_type(quota=0),
    )
    stranger = OrderRequest(kind["id"], OTHER, Principal(USER, "u", frozenset()))
    results = place(
        house, [ask(kind), ask(closed), ask(full), stranger, ask({"id": "nowhere"}), ask(kind, OTHER)]
    )
    assert [str(result) for result in results[1:5]] == [
        "The sale has ended.",
        "This ticket is sold out.",
        "Only staff of the event order for others.",
        "There is no such ticket.",
    ]
    assert (results[0].user_id, results[5].user_id) == (USER, OTHER)
    assert [m["requestid"] for m in house.published()] == [f"request-of-{USER}", f"request-of-{OTHER}"]


def test_one_that_the_database_refuses_takes_nobody_with_it(house: Any) -> None:
    for user_id in (USER, OTHER):
        house.receive("user.registered", person(user_id))
    kind = house.make_type()
    with house.engine.begin() as connection:
        connection.execute(
            sa.text("ALTER TABLE orders ADD CHECK (user_id <> :id)").bindparams(
                sa.bindparam("id", OTHER, literal_execute=True)
            )
        )
    first, refused, third = place(house, [ask(kind), ask(kind, OTHER), ask(kind)])
    assert isinstance(first, Order)
    assert isinstance(third, Order)
    assert isinstance(refused, sa.exc.IntegrityError)
    assert house.available(kind) == 8
    with house.engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(orders)) == 2
    assert len(house.published()) == 2


def test_desks_of_several_processes_keep_both_quotas_and_never_stand_in_each_others_way(house: Any) -> None:
    house.receive("user.registered", person(USER))
    events = [house.know_event(quota=15)["id"] for _ in range(2)]
    kinds = [house.make_type(event_id, quota=10) for event_id in events for _ in range(2)]

    def process(number: int) -> list[Any]:
        ordered = kinds if number % 2 else kinds[::-1]
        return place(house, [ask(ordered[n % 4]) for n in range(40)])

    with ThreadPoolExecutor(4) as pool:
        results = [result for some in pool.map(process, range(4)) for result in some]
    refusals = {str(result) for result in results if not isinstance(result, Order)}
    assert refusals <= {"This ticket is sold out.", "The event is sold out."}
    sold = Counter(result.event_id for result in results if isinstance(result, Order))
    assert sold == dict.fromkeys(events, 15)
    assert all(house.available(kind) >= 0 for kind in kinds)
    assert len(house.published()) == 30
