"""What many at once cannot break."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

PATH = "/api/registrations/"


@pytest.mark.parametrize(("type_quota", "event_quota"), [(5, 100), (100, 5), (5, None)])
def test_twenty_who_want_the_last_five_seats_make_five_orders(
    house: Any, type_quota: int, event_quota: int | None
) -> None:
    kind = house.make_type(house.know_event(quota=event_quota)["id"], quota=type_quota)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: house.order(kind), range(20)))
    assert Counter(answer.status_code for answer in answers) == {201: 5, 409: 15}
    assert len({answer.json()["code"] for answer in answers if answer.status_code == 201}) == 5
    assert len(house.published()) == 5


def test_two_types_of_one_event_never_sell_more_than_the_event_has(house: Any) -> None:
    event_id = house.know_event(quota=5)["id"]
    kinds = [house.make_type(event_id), house.make_type(event_id)]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: house.order(kinds[n % 2]), range(20)))
    assert Counter(answer.status_code for answer in answers) == {201: 5, 409: 15}


def test_one_key_from_eight_at_once_is_one_order(house: Any) -> None:
    kind = house.make_type()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: house.order(kind, key="once"), range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert house.available(kind) == 9
    assert len(house.published()) == 1


def test_a_key_belongs_to_one_request_of_one_caller(house: Any) -> None:
    kind, another = house.make_type(), house.make_type()
    first = house.order(kind, key="k").json()
    assert house.order(another, key="k").status_code == 409
    assert house.order(kind, house.other, key="k").json()["id"] != first["id"]
    assert house.order(kind, key="k").json() == first


def test_a_refused_order_does_not_use_up_its_key(house: Any) -> None:
    kind = house.make_type(quota=0)
    assert house.order(kind, key="k").status_code == 409
    house.client.patch(f"/api/tickets/{kind['id']}/", json={"quota": 1}, headers=house.organizer)
    assert house.order(kind, key="k").status_code == 201


def test_cancelling_eight_times_at_once_frees_one_seat(house: Any) -> None:
    kind = house.make_type()
    house.order(kind)
    path = f"{PATH}{house.order(kind).json()['id']}/"

    def cancel(_: int) -> int:
        return house.client.patch(path, json={"status": "cancelled"}, headers=house.user).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(cancel, range(8))) == {200}
    assert house.available(kind) == 9
    assert [message["type"] for message in house.published()].count("ticket.cancelled") == 1


def test_orders_and_a_deletion_of_their_type_end_in_order(house: Any) -> None:
    kind = house.make_type()
    path = f"/api/tickets/{kind['id']}/"
    with ThreadPoolExecutor(9) as pool:
        orders = [pool.submit(house.order, kind) for _ in range(8)]
        deletion = pool.submit(house.client.delete, path, headers=house.organizer)
        assert {order.result().status_code for order in orders} <= {201, 404}
    assert deletion.result().status_code == 204
    assert house.client.get(path).status_code == 404
