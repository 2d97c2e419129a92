"""The public calls on registrations."""

from datetime import timedelta
from typing import Any

import pytest

from services.tickets.tests.house import OTHER, USER, person
from shared.messages import new_id

PATH = "/api/registrations/"


def test_an_order_and_its_message_are_there_together(house: Any) -> None:
    event = house.know_event()
    kind = house.make_type(event["id"])
    answer = house.order(kind)
    assert answer.status_code == 201
    order = answer.json()
    assert (order["ticket"], order["user"], order["event"]) == (kind["id"], USER, event["id"])
    assert order["status"] == "registered"
    [message] = house.published()
    assert (message["type"], message["source"]) == ("ticket.ordered", "/tickets")
    assert (message["subject"], message["sequence"]) == (order["id"], 1)
    data = message["data"]
    assert data["ticket"] == {"id": order["id"], "code": order["code"], "name": "Regular"}
    rina = {"version": 1, "name": "Rina", "email": "rina@example.com", "locale": "id"}
    assert data["holder"] == {"id": USER, **rina}
    assert (data["event"]["id"], data["event"]["name"]) == (event["id"], "Jazz")
    assert data["event"]["timezone"] == "Asia/Jakarta"


def test_a_refused_order_leaves_no_message_and_no_order(house: Any) -> None:
    assert house.order(house.make_type(quota=0), key="k").status_code == 409
    assert house.published() == []
    assert house.client.get(PATH, headers=house.admin).json()["registrations"] == []


def test_a_holder_without_a_name_is_called_by_his_user_name(house: Any) -> None:
    house.accounts.things[f"users/{USER}"] = person(USER, name="")
    house.order(house.make_type())
    assert house.published()[0]["data"]["holder"]["name"] == "rina"


def test_one_person_may_order_twice_and_gets_two_codes(house: Any) -> None:
    kind = house.make_type()
    assert house.order(kind).json()["code"] != house.order(kind).json()["code"]
    assert house.available(kind) == 8


@pytest.mark.parametrize("status", ["draft", "cancelled", "completed"])
def test_an_event_that_is_not_on_sale_is_409(house: Any, status: str) -> None:
    kind = house.make_type(house.know_event(status=status)["id"])
    assert house.order(kind, house.admin).status_code == 409


def test_an_event_that_has_started_is_409(house: Any) -> None:
    kind = house.make_type(house.know_event(starts_in=timedelta(seconds=-1))["id"])
    assert house.order(kind, house.admin).status_code == 409


@pytest.mark.parametrize("window", [{"sales_start": "2999-01-01 00:00"}, {"sales_end": "2000-01-01 00:00"}])
def test_the_sales_window_binds_users_and_not_staff(house: Any, window: dict[str, str]) -> None:
    kind = house.make_type(**window)
    assert house.order(kind).status_code == 409
    assert house.order(kind, house.organizer, user_id=USER).status_code == 201


def test_staff_order_for_others_and_users_do_not(house: Any) -> None:
    kind = house.make_type()
    assert house.order(kind, house.admin, user_id=USER).json()["user"] == USER
    assert house.order(kind, house.user, user_id=USER).status_code == 201
    assert house.order(kind, house.user, user_id=OTHER).status_code == 403
    assert house.order(kind, house.rival, user_id=OTHER).status_code == 403


def test_ids_that_are_none_or_of_nobody_are_refused(house: Any) -> None:
    kind = house.make_type()
    assert house.order({"id": "nowhere"}).status_code == 400
    assert house.order({"id": new_id()}).status_code == 404
    assert house.order(kind, house.admin, user_id="nobody").status_code == 400
    assert house.order(kind, house.admin, user_id=new_id()).status_code == 400
    assert house.client.get(f"{PATH}nowhere/", headers=house.user).status_code == 404


def test_with_accounts_away_an_unknown_person_is_503_and_a_known_one_orders(house: Any) -> None:
    kind = house.make_type()
    house.order(kind)
    house.accounts.away = True
    assert house.order(kind).status_code == 201
    assert house.order(kind, house.other).status_code == 503


def test_a_quota_lowered_below_what_is_sold_sells_no_more(house: Any) -> None:
    kind = house.make_type()
    house.order(kind)
    house.order(kind)
    path = f"/api/tickets/{kind['id']}/"
    answer = house.client.patch(path, json={"quota": 1}, headers=house.organizer)
    assert (answer.status_code, answer.json()["available"]) == (200, 0)
    assert house.order(kind).status_code == 409


@pytest.mark.parametrize("how", ["patch", "delete"])
def test_a_cancelled_order_frees_its_seat_once_and_says_so_once(house: Any, how: str) -> None:
    kind = house.make_type()
    house.order(kind)
    path = f"{PATH}{house.order(kind).json()['id']}/"
    if how == "patch":
        for _ in range(2):
            answer = house.client.patch(path, json={"status": "Cancelled"}, headers=house.user)
            assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert house.client.delete(path, headers=house.user).status_code == 204
    assert house.client.delete(path, headers=house.user).status_code == 404
    assert house.client.get(path, headers=house.user).status_code == 404
    assert house.available(kind) == 9
    *_, gone = messages = house.published()
    assert [message["type"] for message in messages] == ["ticket.ordered"] * 2 + ["ticket.cancelled"]
    assert gone["sequence"] == 2
    assert gone["data"] == {"ticket_id": gone["subject"], "event_id": kind["event"], "holder_id": USER}


def test_a_seat_that_was_sold_again_does_not_come_back(house: Any) -> None:
    kind = house.make_type(quota=1)
    path = f"{PATH}{house.order(kind).json()['id']}/"
    house.client.patch(path, json={"status": "cancelled"}, headers=house.user)
    second = house.order(kind, house.other).json()
    back = {"status": "registered"}
    assert house.client.patch(path, json=back, headers=house.organizer).status_code == 409
    house.client.delete(f"{PATH}{second['id']}/", headers=house.other)
    assert house.client.patch(path, json=back, headers=house.organizer).status_code == 200
    assert house.available(kind) == 0
    assert [(m["type"], m["sequence"]) for m in house.published()][-1] == ("ticket.ordered", 3)


def test_a_holder_may_only_cancel(house: Any) -> None:
    order = house.order(house.make_type()).json()
    path = f"{PATH}{order['id']}/"
    assert house.client.put(path, json=order, headers=house.user).json() == order
    assert house.client.patch(path, json={"status": "checked_in"}, headers=house.user).status_code == 403
    assert house.client.patch(path, json={"status": "lost"}, headers=house.admin).status_code == 400
    answer = house.client.patch(path, json={"status": "checked_in"}, headers=house.organizer)
    assert answer.json()["status"] == "checked_in"


def test_everybody_sees_what_is_his(house: Any) -> None:
    own = house.order(house.make_type()).json()["id"]
    others = house.order(house.make_type(), house.other).json()["id"]
    rivals = house.order(house.make_type(), house.rival).json()["id"]
    expected = [
        (house.user, {own}),
        (house.other, {others}),
        (house.rival, {rivals}),
        (house.organizer, {own, others, rivals}),
        (house.admin, {own, others, rivals}),
    ]
    for who, ids in expected:
        answer = house.client.get(PATH, headers=who).json()
        assert {order["id"] for order in answer["registrations"]} == ids
        seen = [house.client.get(f"{PATH}{i}/", headers=who).status_code for i in (own, others, rivals)]
        assert seen == [200 if i in ids else 403 for i in (own, others, rivals)]
    assert house.client.get(PATH).status_code == 401
    last = house.client.get(f"{PATH}?page=5&page_size=1", headers=house.admin).json()
    assert [order["id"] for order in last["registrations"]] == [own]
