"""What staff change of an order, and what others are told of it."""

from typing import Any

from services.tickets.tests.house import OTHER, USER
from shared.messages import new_id, parse, read_envelope

PATH = "/api/registrations/"


def change(house: Any, order: dict[str, Any], body: dict[str, Any], who: dict[str, str] | None = None) -> Any:
    return house.client.put(f"{PATH}{order['id']}/", json=body, headers=who or house.organizer)


def test_another_holder_gets_another_code_and_is_told_of(house: Any) -> None:
    order = house.order(house.make_type()).json()
    answer = change(house, order, {"ticket_id": order["ticket"], "user_id": OTHER})
    assert (answer.status_code, answer.json()["user"]) == (200, OTHER)
    assert answer.json()["code"] != order["code"]
    told = house.published()[-1]
    parse(read_envelope(told))
    assert (told["type"], told["sequence"]) == ("ticket.updated", 2)
    assert told["data"]["holder"]["id"] == OTHER
    assert told["data"]["ticket"]["code"] == answer.json()["code"]
    assert house.client.get(f"{PATH}{order['id']}/", headers=house.user).status_code == 403


def test_another_ticket_moves_the_seat(house: Any) -> None:
    event_id = house.know_event(quota=1)["id"]
    regular, vip = house.make_type(event_id, quota=1), house.make_type(event_id, name="VIP", quota=1)
    order = house.order(regular).json()
    moved = change(house, order, {"ticket_id": vip["id"]})
    assert (moved.status_code, moved.json()["ticket"]) == (200, vip["id"])
    assert (house.available(regular), house.available(vip)) == (1, 0)
    assert house.published()[-1]["data"]["ticket"]["name"] == "VIP"
    assert house.order(regular, house.other).status_code == 409


def test_a_ticket_that_is_sold_out_takes_nobody_in(house: Any) -> None:
    event_id = house.know_event()["id"]
    regular, vip = house.make_type(event_id), house.make_type(event_id, quota=0)
    order = house.order(regular).json()
    assert change(house, order, {"ticket_id": vip["id"]}).status_code == 409
    assert house.available(regular) == 9
    assert change(house, order, {"ticket_id": new_id()}).status_code == 404
    assert len(house.published()) == 1


def test_what_was_read_can_be_sent_back_by_holder_and_staff(house: Any) -> None:
    order = house.order(house.make_type()).json()
    body = {**order, "ticket_id": order["ticket"], "user_id": order["user"]}
    for who in (house.user, house.organizer, house.admin):
        assert change(house, order, body, who).json() == order
    assert len(house.published()) == 1


def test_a_holder_gives_his_ticket_to_nobody_and_takes_no_other(house: Any) -> None:
    kind = house.make_type()
    order, vip = house.order(kind).json(), house.make_type(kind["event"])
    for body in ({"user_id": OTHER}, {"ticket_id": vip["id"]}):
        assert change(house, order, body, house.user).status_code == 403
    assert change(house, order, {"user_id": new_id()}).status_code == 400
    assert change(house, order, {"status": "cancelled", "user_id": OTHER}).status_code == 409
    assert change(house, order, {"status": "expired"}).status_code == 400
    assert house.status(order) == "registered"


def test_only_staff_keep_the_confirmation_back(house: Any) -> None:
    kind = house.make_type()
    assert house.order(kind, house.organizer, user_id=USER, notify=False).status_code == 201
    assert house.published()[0]["data"]["notify"] is False
    assert house.order(kind).status_code == 201
    assert house.published()[1]["data"]["notify"] is True
    assert house.order(kind, notify=False).status_code == 403
    assert house.order(kind, house.admin, notify="no").status_code == 400
