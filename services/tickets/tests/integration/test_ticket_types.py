"""The public calls on ticket types."""

from typing import Any

import pytest

from shared.messages import new_id

NOBODY = "0198c6f0-0000-7000-8000-000000000000"


def test_a_made_type_is_answered_as_the_contract_says(house: Any) -> None:
    event = house.know_event()
    made = house.make_type(event["id"], sales_start="2030-01-02 19:00", sales_end="2030-01-03T12:00:00Z")
    assert made["event"] == made["event_id"] == event["id"]
    assert made["price"] == 150000
    assert made["quota"] == made["available"] == 10
    assert made["sales_start"] == "2030-01-02T19:00:00+07:00"
    assert made["sales_end"] == "2030-01-03T19:00:00+07:00"
    for form in (f"/api/tickets/{made['id']}", f"/api/tickets/{made['id']}/"):
        assert house.client.get(form).json() == made


def test_what_was_read_can_be_sent_back(house: Any) -> None:
    made = house.make_type()
    path = f"/api/tickets/{made['id']}/"
    answer = house.client.put(path, json={**made, "name": "VIP"}, headers=house.organizer)
    assert (answer.status_code, answer.json()) == (200, {**made, "name": "VIP"})


def test_a_change_of_one_field_keeps_the_others(house: Any) -> None:
    made = house.make_type(sales_start="2030-01-02 19:00")
    path = f"/api/tickets/{made['id']}/"
    answer = house.client.patch(path, json={"price": 99.5}, headers=house.admin)
    assert answer.json() == {**made, "price": 99.5}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("event_id", "nowhere"),
        ("event_id", NOBODY),
        ("event_id", None),
        ("name", ""),
        ("name", "a\x00b"),
        ("name", "a\x1bb"),
        ("name", "x" * 1_000_000),
        ("price", "NaN"),
        ("price", -1),
        ("price", 1.234),
        ("price", 10**10),
        ("price", True),
        ("price", "much"),
        ("quota", -1),
        ("quota", 2**31),
        ("quota", True),
        ("sales_start", "tomorrow"),
        ("sales_end", "2030-02-30 10:00"),
    ],
)
def test_a_wrong_field_is_named(house: Any, field: str, value: object) -> None:
    body = {"event_id": house.know_event()["id"], "name": "VIP", "price": 1, "quota": 1, field: value}
    answer = house.client.post("/api/tickets/", json=body, headers=house.admin)
    assert answer.status_code == 400, answer.text
    assert list(answer.json()["errors"]) == [field]


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"x"', b"{", b"", b'{"name": "\\ud800"}'])
def test_a_body_that_is_no_good_object_is_400(house: Any, body: bytes) -> None:
    headers = {**house.admin, "Content-Type": "application/json"}
    assert house.client.post("/api/tickets/", content=body, headers=headers).status_code == 400


def test_only_admins_and_the_organizer_of_the_event_sell(house: Any) -> None:
    made = house.make_type()
    path, body = (
        f"/api/tickets/{made['id']}/",
        {"event_id": made["event"], "name": "A", "price": 1, "quota": 1},
    )
    for who, status in ((house.user, 403), (house.rival, 403), ({}, 401)):
        assert house.client.post("/api/tickets/", json=body, headers=who).status_code == status
        assert house.client.put(path, json={"quota": 1}, headers=who).status_code == status
        assert house.client.delete(path, headers=who).status_code == status
    assert house.client.post("/api/tickets/", json=body, headers=house.admin).status_code == 201


def test_a_deleted_type_is_404(house: Any) -> None:
    path = f"/api/tickets/{house.make_type()['id']}/"
    assert house.client.delete(path, headers=house.organizer).status_code == 204
    assert house.client.get(path).status_code == 404
    assert house.client.delete(path, headers=house.organizer).status_code == 404


def test_a_type_with_orders_is_archived_and_its_orders_stay(house: Any) -> None:
    made = house.make_type()
    order = house.order(made).json()
    path = f"/api/tickets/{made['id']}/"
    assert house.client.delete(path, headers=house.organizer).status_code == 204
    assert house.client.get(path).status_code == 404
    assert house.client.get("/api/tickets/").json()["tickets"] == []
    assert house.order(made).status_code == 404
    assert house.client.get(f"/api/registrations/{order['id']}/", headers=house.user).json() == order


@pytest.mark.parametrize("id_", ["1", "nowhere", "%00", NOBODY])
def test_an_id_of_nothing_is_404(house: Any, id_: str) -> None:
    assert house.client.get(f"/api/tickets/{id_}/").status_code == 404


def test_the_list_holds_one_event_and_a_page_past_the_end_is_the_last(house: Any) -> None:
    event_id = house.know_event()["id"]
    made = [house.make_type(event_id)["id"] for _ in range(3)]
    house.make_type()
    url = f"/api/tickets/?event_id={event_id}&page_size=2"
    answer = house.client.get(f"{url}&page=9").json()
    assert [kind["id"] for kind in answer["tickets"]] == made[:1]
    assert answer["pagination"] == {"page": 2, "page_size": 2, "pages": 2, "total": 3}
    assert house.client.get("/api/tickets/?page_size=101").status_code == 400
    assert house.client.get("/api/tickets/?page=0").status_code == 400


def test_an_event_nobody_told_of_is_asked_for_once(house: Any) -> None:
    event_id = new_id()
    start = {"starts_at": "2030-01-02T12:00:00Z", "organizer_id": None}
    house.events.things[f"events/{event_id}"] = {"id": event_id, "version": 3, "name": "New", **start}
    body = {"event_id": event_id, "name": "VIP", "price": 0, "quota": 1}
    for _ in range(2):
        assert house.client.post("/api/tickets/", json=body, headers=house.admin).status_code == 201
    assert house.events.asked == [f"events/{event_id}"]


@pytest.mark.parametrize("nonsense", [None, {"id": "x"}])
def test_an_owner_that_cannot_answer_is_503_with_a_time_to_come_back(house: Any, nonsense: Any) -> None:
    event_id = new_id()
    house.events.away = nonsense is None
    house.events.things[f"events/{event_id}"] = nonsense
    body = {"event_id": event_id, "name": "VIP", "price": 0, "quota": 1}
    answer = house.client.post("/api/tickets/", json=body, headers=house.admin)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
