"""Seats that wait for their payment, and only so long."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from services.tickets.beat import Beat
from services.tickets.tables import idempotency_keys, orders
from shared.testing import wait_until


def let_time_pass(house: Any) -> None:
    """Every hold was over a second ago."""
    with house.engine.begin() as connection:
        past = sa.func.now() - timedelta(seconds=1)
        connection.execute(sa.update(orders).where(orders.c.hold_until.is_not(None)).values(hold_until=past))


def expire(house: Any) -> int:
    return Beat(house.engine, timedelta(hours=24)).expire_batch()


def test_without_the_setting_nothing_expires(house: Any) -> None:
    assert house.order(house.make_type()).json()["hold_until"] == ""
    assert expire(house) == 0


def test_an_unpaid_order_expires_frees_its_seat_and_says_so_once(holding_house: Any) -> None:
    kind = holding_house.make_type(quota=1)
    order = holding_house.order(kind).json()
    assert order["hold_until"] > order["ordered_at"]
    assert expire(holding_house) == 0
    let_time_pass(holding_house)
    assert expire(holding_house) == 1
    assert expire(holding_house) == 0
    assert holding_house.status(order) == "expired"
    assert holding_house.available(kind) == 1
    messages = [(m["type"], m["sequence"]) for m in holding_house.published()]
    assert messages == [("ticket.ordered", 1), ("ticket.cancelled", 2)]
    assert holding_house.order(kind, holding_house.other).status_code == 201


def test_a_paid_or_free_or_cancelled_order_does_not_expire(holding_house: Any) -> None:
    paid, free = (holding_house.order(holding_house.make_type(price=price)).json() for price in (5, 0))
    cancelled = holding_house.order(holding_house.make_type()).json()
    path = f"/api/registrations/{cancelled['id']}/"
    holding_house.client.patch(path, json={"status": "cancelled"}, headers=holding_house.user)
    assert holding_house.pay(paid).status_code == 201
    let_time_pass(holding_house)
    assert expire(holding_house) == 0
    assert [holding_house.status(order) for order in (paid, free)] == ["registered", "registered"]


def test_a_late_payment_is_409_before_the_sweep_and_after_it(holding_house: Any) -> None:
    order = holding_house.order(holding_house.make_type()).json()
    pending = holding_house.pay(order, payment_status="pending").json()
    path = f"/api/payments/{pending['id']}/"
    let_time_pass(holding_house)
    for _ in range(2):
        assert holding_house.pay(order).status_code == 409
        late = {"payment_status": "completed"}
        assert holding_house.client.patch(path, json=late, headers=holding_house.admin).status_code == 409
        expire(holding_house)
    assert holding_house.client.patch(
        path, json={"payment_status": "failed"}, headers=holding_house.admin
    ).is_success


def test_many_sweeps_at_once_free_each_seat_once(holding_house: Any) -> None:
    kinds = [holding_house.make_type(quota=20) for _ in range(2)]
    for n in range(20):
        assert holding_house.order(kinds[n % 2]).status_code == 201
    let_time_pass(holding_house)
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(lambda _: expire(holding_house), range(8))) == 20
    assert [holding_house.available(kind) for kind in kinds] == [20, 20]
    types = [message["type"] for message in holding_house.published()]
    assert types.count("ticket.cancelled") == 20


def test_staff_give_an_expired_order_its_seat_back_with_a_new_hold(holding_house: Any) -> None:
    kind = holding_house.make_type(quota=1)
    order = holding_house.order(kind).json()
    let_time_pass(holding_house)
    expire(holding_house)
    path = f"/api/registrations/{order['id']}/"
    back = {"status": "registered"}
    assert holding_house.client.patch(path, json=back, headers=holding_house.user).status_code == 403
    again = holding_house.client.patch(path, json=back, headers=holding_house.organizer)
    assert again.json()["hold_until"] > order["hold_until"]
    assert holding_house.available(kind) == 0


def test_the_beat_runs_by_itself_and_forgets_old_keys(holding_house: Any) -> None:
    order = holding_house.order(holding_house.make_type(), key="old").json()
    kept = holding_house.order(holding_house.make_type(), key="new").json()
    with holding_house.engine.begin() as connection:
        aged = sa.update(idempotency_keys).where(idempotency_keys.c.key == "old")
        connection.execute(aged.values(created_at=sa.func.now() - timedelta(hours=25)))
        connection.execute(
            sa.update(orders)
            .where(orders.c.id == order["id"])
            .values(hold_until=sa.func.now() - timedelta(seconds=1))
        )

    def keys() -> list[str]:
        with holding_house.engine.connect() as connection:
            return list(connection.scalars(sa.select(idempotency_keys.c.key)))

    beat = Beat(holding_house.engine, timedelta(hours=24))
    beat.start()
    try:
        wait_until(lambda: keys() == ["new"], "the old key is forgotten")
    finally:
        beat.stop()
    assert [holding_house.status(o) for o in (order, kept)] == ["expired", "registered"]
