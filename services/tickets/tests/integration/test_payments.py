"""The public calls on payments, and what they do to orders."""

from typing import Any

import pytest

from services.tickets.tests.house import USER
from shared.messages import new_id

PATH = "/api/payments/"


def set_status(house: Any, path: str, status: str) -> int:
    """The answer's status when an admin gives a payment another status."""
    return house.client.patch(path, json={"payment_status": status}, headers=house.admin).status_code


def types(house: Any) -> list[str]:
    return [message["type"] for message in house.published()]


def test_a_payment_is_answered_as_the_contract_says(house: Any) -> None:
    order = house.order(house.make_type()).json()
    answer = house.pay(order, house.user, payment_status="PENDING", amount_paid=99.5)
    payment = answer.json()
    assert answer.status_code == 201
    assert (payment["registration"], payment["user"]) == (order["id"], USER)
    assert (payment["payment_method"], payment["payment_status"]) == ("transfer", "pending")
    assert payment["amount_paid"] == 99.5
    for form in (f"{PATH}{payment['id']}", f"{PATH}{payment['id']}/"):
        assert house.client.get(form, headers=house.user).json() == payment
    assert house.client.get(PATH, headers=house.user).json()["payments"] == [payment]
    assert house.client.get(PATH, headers=house.rival).json()["payments"] == []


@pytest.mark.parametrize("how", ["post", "patch"])
def test_a_paid_order_says_so_once_with_an_exact_amount(house: Any, how: str) -> None:
    order = house.order(house.make_type()).json()
    payment = house.pay(order, payment_status="Completed" if how == "post" else "pending").json()
    path = f"{PATH}{payment['id']}/"
    for _ in range(2):
        change = {"payment_status": "COMPLETED", "amount_paid": "1234567890.12"}
        answer = house.client.patch(path, json=change, headers=house.organizer)
        assert (answer.status_code, answer.json()["payment_status"]) == (200, "completed")
        assert answer.json()["amount_paid"] == 1234567890.12
    assert house.pay(order).status_code == 201
    assert types(house) == ["ticket.ordered", "ticket.paid"]
    paid = house.published()[1]
    assert (paid["subject"], paid["sequence"]) == (order["id"], 2)
    amount = 150000.0 if how == "post" else 1234567890.12
    assert paid["data"] == {
        "ticket_id": order["id"], "event_id": order["event"], "holder_id": USER,
        "amount": amount, "method": "transfer",
    }  # fmt: skip
    seen = house.client.get(f"/api/registrations/{order['id']}/", headers=house.user).json()
    assert seen["paid_at"]


def test_a_free_ticket_is_paid_at_once(house: Any) -> None:
    order = house.order(house.make_type(price=0)).json()
    assert order["paid_at"]
    assert [(m["type"], m["sequence"]) for m in house.published()] == [
        ("ticket.ordered", 1),
        ("ticket.paid", 2),
    ]
    assert house.published()[1]["data"]["amount"] == 0
    assert house.pay(order, amount_paid=0).status_code == 201
    assert types(house) == ["ticket.ordered", "ticket.paid"]


def test_only_staff_complete_and_refund(house: Any) -> None:
    order = house.order(house.make_type()).json()
    for status in ("completed", "Refunded"):
        assert house.pay(order, house.user, payment_status=status).status_code == 403
    assert house.pay(order, house.other, payment_status="pending").status_code == 403
    assert house.pay(order, house.rival).status_code == 403
    payment = house.pay(order, house.user, payment_status="pending").json()
    path = f"{PATH}{payment['id']}/"
    for who, status in ((house.user, 403), (house.other, 403), (house.rival, 403), ({}, 401)):
        assert house.client.patch(path, json={"payment_status": "failed"}, headers=who).status_code == status
        assert house.client.delete(path, headers=who).status_code == status
    assert house.client.get(path, headers=house.other).status_code == 403
    assert types(house) == ["ticket.ordered"]


def test_a_refund_cancels_the_order_and_frees_its_seat_once(house: Any) -> None:
    kind = house.make_type(quota=1)
    order = house.order(kind).json()
    path = f"{PATH}{house.pay(order).json()['id']}/"
    for _ in range(2):
        answer = house.client.put(path, json={"payment_status": "REFUNDED"}, headers=house.organizer)
        assert answer.json()["payment_status"] == "refunded"
    assert house.status(order) == "cancelled"
    assert house.available(kind) == 1
    assert types(house) == ["ticket.ordered", "ticket.paid", "ticket.cancelled"]
    assert set_status(house, path, "completed") == 409
    assert house.order(kind, house.other).status_code == 201


def test_who_paid_twice_and_gets_one_payment_back_keeps_his_ticket(house: Any) -> None:
    order = house.order(house.make_type(quota=1)).json()
    first, second = (f"{PATH}{house.pay(order).json()['id']}/" for _ in range(2))
    assert set_status(house, first, "refunded") == 200
    assert house.status(order) == "registered"
    assert set_status(house, second, "refunded") == 200
    assert house.status(order) == "cancelled"


def test_an_order_that_was_cancelled_first_is_refunded_without_freeing_two_seats(house: Any) -> None:
    kind = house.make_type(quota=2)
    order = house.order(kind).json()
    path = f"{PATH}{house.pay(order).json()['id']}/"
    own = f"/api/registrations/{order['id']}/"
    house.client.patch(own, json={"status": "cancelled"}, headers=house.user)
    assert set_status(house, path, "refunded") == 200
    assert house.available(kind) == 2
    assert house.pay(order).status_code == 409


def test_a_deleted_payment_is_404_and_leaves_its_order_unpaid(house: Any) -> None:
    order = house.order(house.make_type()).json()
    path = f"{PATH}{house.pay(order).json()['id']}/"
    assert house.client.delete(path, headers=house.organizer).status_code == 204
    assert house.client.get(path, headers=house.organizer).status_code == 404
    assert house.client.delete(path, headers=house.organizer).status_code == 404
    seen = house.client.get(f"/api/registrations/{order['id']}/", headers=house.user).json()
    assert (seen["paid_at"], seen["status"]) == ("", "registered")


def test_a_payment_outlives_its_order(house: Any) -> None:
    order = house.order(house.make_type()).json()
    payment = house.pay(order).json()
    path = f"{PATH}{payment['id']}/"
    house.client.delete(f"/api/registrations/{order['id']}/", headers=house.organizer)
    assert house.client.get(path, headers=house.user).json() == payment
    assert house.client.put(path, json=payment, headers=house.organizer).json() == payment
    assert set_status(house, path, "pending") == 409
    answer = house.client.patch(path, json={"payment_status": "refunded"}, headers=house.admin)
    assert answer.json()["payment_status"] == "refunded"
    assert house.client.delete(path, headers=house.organizer).status_code == 204


def test_one_key_is_one_payment_and_another_body_is_409(house: Any) -> None:
    order = house.order(house.make_type()).json()
    first = house.pay(order, key="k")
    assert house.pay(order, key="k").json() == first.json()
    assert house.pay(order, key="k", amount_paid=1).status_code == 409
    assert house.pay(order, house.admin, key="k").json()["id"] != first.json()["id"]
    assert len(house.client.get(PATH, headers=house.admin).json()["payments"]) == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("registration_id", "nowhere"),
        ("payment_method", ""),
        ("payment_method", "a\x00b"),
        ("payment_method", "a\x1bb"),
        ("payment_method", "x" * 1_000_000),
        ("payment_method", None),
        ("payment_status", "lost"),
        ("payment_status", 1),
        ("amount_paid", -1),
        ("amount_paid", 0.001),
        ("amount_paid", 10**10),
        ("amount_paid", True),
        ("amount_paid", "1e3"),
        ("amount_paid", "NaN"),
        ("amount_paid", None),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_stored(house: Any, field: str, value: object) -> None:
    answer = house.pay(house.order(house.make_type()).json(), **{field: value})
    assert answer.status_code == 400, answer.text
    assert list(answer.json()["errors"]) == [field]
    assert house.client.get(PATH, headers=house.admin).json()["payments"] == []


def test_a_payment_for_no_registration_is_404_and_it_stays_with_its_own(house: Any) -> None:
    order, another = house.order(house.make_type()).json(), house.order(house.make_type()).json()
    assert house.pay({"id": new_id()}).status_code == 404
    path = f"{PATH}{house.pay(order).json()['id']}/"
    moved = house.client.patch(path, json={"registration_id": another["id"]}, headers=house.admin)
    assert (moved.status_code, list(moved.json()["errors"])) == (400, ["registration_id"])
    for nowhere in (new_id(), "nowhere", "1"):
        assert house.client.get(f"{PATH}{nowhere}/", headers=house.admin).status_code == 404
