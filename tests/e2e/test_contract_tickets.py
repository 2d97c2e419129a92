"""The contract's rows on tickets, through the gateway."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.e2e.client import make_event, must, order
from tests.e2e.people import People

pytestmark = pytest.mark.e2e
Sold = dict[str, Any]


@pytest.fixture(scope="module")
def event(people: People) -> Sold:
    return make_event(people.organizer.client, timedelta(days=40))


@pytest.fixture
def registration(people: People, event: Sold) -> Sold:
    return order(people.user.client, event)


def ticket(event: Sold, **fields: Any) -> dict[str, Any]:
    window = {"sales_start": "2020-01-01 00:00", "sales_end": "2031-01-01 00:00"}
    return {"event_id": event["id"], "name": "VIP", "price": 12.5, "quota": 10, **window, **fields}


def test_a_ticket_type_answers_numbers_for_price_and_quota(people: People, event: Sold) -> None:
    made = must(people.organizer.client.post("/api/tickets/", json=ticket(event)), 201)
    shown = must(people.anyone.client.get(f"/api/tickets/{made['id']}/"), 200)
    for answer in (made, shown):
        assert answer["event"] == answer["event_id"] == event["id"]
        assert (answer["price"], answer["quota"], answer["available"]) == (12.5, 10, 10)
        assert isinstance(answer["sales_start"], str)
    listed = must(people.anyone.client.get("/api/tickets/", params={"event_id": event["id"]}), 200)
    assert made["id"] in [one["id"] for one in listed["tickets"]]
    assert set(listed["pagination"]) >= {"page", "page_size", "pages", "total"}


@pytest.mark.parametrize(
    ("who", "status"),
    [("root", 201), ("admin", 201), ("organizer", 201), ("other", 403), ("user", 403), ("anyone", 401)],
)
def test_ticket_types_are_made_by_the_events_staff(
    people: People, event: Sold, who: str, status: int
) -> None:
    must(getattr(people, who).client.post("/api/tickets/", json=ticket(event)), status)


@pytest.mark.parametrize("wrong", [{"price": -1}, {"price": "cheap"}, {"quota": -1}, {"sales_end": "late"}])
def test_a_wrong_ticket_type_is_400_and_the_field_named(
    people: People, event: Sold, wrong: dict[str, Any]
) -> None:
    answer = must(people.organizer.client.post("/api/tickets/", json=ticket(event, **wrong)), 400)
    assert next(iter(wrong)) in answer["errors"]


def test_a_ticket_type_is_changed_by_its_staff(people: People, event: Sold) -> None:
    made = must(people.organizer.client.post("/api/tickets/", json=ticket(event)), 201)
    path = f"/api/tickets/{made['id']}/"
    assert must(people.organizer.client.put(path, json={"price": 0.1, "x": 1}), 200)["price"] == 0.1
    assert must(people.admin.client.patch(path, json={"name": "Front row"}), 200)["name"] == "Front row"
    for who, status in ((people.other, 403), (people.user, 403), (people.anyone, 401)):
        for method in ("PUT", "PATCH", "DELETE"):
            assert who.client.request(method, path, json={}).status_code == status


def test_a_deleted_ticket_type_is_404_and_its_orders_stay(people: People, event: Sold) -> None:
    made = must(people.organizer.client.post("/api/tickets/", json=ticket(event)), 201)
    sold = order(people.user.client, {"ticket_id": made["id"]})
    must(people.organizer.client.delete(f"/api/tickets/{made['id']}/"), 204)
    assert people.anyone.client.get(f"/api/tickets/{made['id']}/").status_code == 404
    assert must(people.user.client.get(f"/api/registrations/{sold['id']}/"), 200)["ticket"] == made["id"]


def test_an_order_names_ticket_user_event_and_code(people: People, event: Sold, registration: Sold) -> None:
    assert registration["ticket"] == event["ticket_id"]
    assert registration["user"] == people.user.id
    assert registration["event"] == event["id"]
    assert registration["code"]
    assert registration["status"]
    shown = must(people.user.client.get(f"/api/registrations/{registration['id']}/"), 200)
    assert (shown["ticket"], shown["user"]) == (event["ticket_id"], people.user.id)


def test_a_user_orders_for_himself_and_staff_for_anyone(people: People, event: Sold) -> None:
    for_user = {"ticket_id": event["ticket_id"], "user_id": people.user.id}
    call: Callable[..., Any] = lambda who: who.client.post("/api/registrations/", json=for_user)  # noqa: E731
    assert call(people.stranger).status_code == 403
    assert call(people.other).status_code == 403
    assert call(people.anyone).status_code == 401
    for who in (people.organizer, people.admin, people.root, people.user):
        assert must(call(who), 201)["user"] == people.user.id


def test_sold_out_is_409_for_the_type_and_for_the_event(people: People) -> None:
    small = make_event(people.organizer.client, timedelta(days=9), quota=2)
    one_left = must(people.organizer.client.post("/api/tickets/", json=ticket(small, quota=1)), 201)["id"]
    user = people.user.client
    assert user.post("/api/registrations/", json={"ticket_id": one_left}).status_code == 201
    assert user.post("/api/registrations/", json={"ticket_id": one_left}).status_code == 409
    order(user, small)
    assert user.post("/api/registrations/", json={"ticket_id": small["ticket_id"]}).status_code == 409


def test_a_cancelled_order_frees_its_seat(people: People) -> None:
    small = make_event(people.organizer.client, timedelta(days=9), quota=1)
    sold = order(people.user.client, small)
    must(people.user.client.delete(f"/api/registrations/{sold['id']}/"), 204)
    order(people.stranger.client, small)


def test_the_sales_window_binds_users_and_not_staff(people: People, event: Sold) -> None:
    over = ticket(event, sales_end="2021-01-01 00:00")
    over_id = must(people.organizer.client.post("/api/tickets/", json=over), 201)["id"]
    assert people.user.client.post("/api/registrations/", json={"ticket_id": over_id}).status_code == 409
    must(people.organizer.client.post("/api/registrations/", json={"ticket_id": over_id}), 201)


def test_a_quota_below_what_is_sold_is_taken_and_sells_no_more(people: People, event: Sold) -> None:
    made = must(people.organizer.client.post("/api/tickets/", json=ticket(event)), 201)
    for _ in range(2):
        order(people.user.client, {"ticket_id": made["id"]})
    must(people.organizer.client.patch(f"/api/tickets/{made['id']}/", json={"quota": 1}), 200)
    again = people.user.client.post("/api/registrations/", json={"ticket_id": made["id"]})
    assert again.status_code == 409


@pytest.mark.parametrize("path", ["registrations", "payments"])
def test_the_same_idempotency_key_is_one_thing(
    people: People, event: Sold, registration: Sold, path: str
) -> None:
    orders = {"ticket_id": event["ticket_id"]}
    pays = {
        "registration_id": registration["id"],
        "payment_method": "cash",
        "payment_status": "pending",
        "amount_paid": 1,
    }
    key = {"Idempotency-Key": uuid.uuid4().hex}
    body = orders if path == "registrations" else pays
    answers = [people.user.client.post(f"/api/{path}/", json=body, headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["id"] == answers[1].json()["id"]


def test_orders_are_listed_all_to_staff_and_his_own_to_a_user(people: People, registration: Sold) -> None:
    mine = must(people.user.client.get("/api/registrations/?page_size=100"), 200)
    assert {one["user"] for one in mine["registrations"]} == {people.user.id}
    assert set(mine["pagination"]) >= {"page_size"}
    everybodys = must(people.admin.client.get("/api/registrations/"), 200)
    assert everybodys["registrations"]
    assert people.anyone.client.get("/api/registrations/").status_code == 401


@pytest.mark.parametrize(
    ("who", "status"),
    [("user", 200), ("organizer", 200), ("admin", 200), ("stranger", 403), ("other", 403), ("anyone", 401)],
)
def test_an_order_is_shown_to_staff_and_its_holder(
    people: People, registration: Sold, who: str, status: int
) -> None:
    answer = getattr(people, who).client.get(f"/api/registrations/{registration['id']}/")
    assert answer.status_code == status or (status == 403 and answer.status_code == 404)


def test_an_order_is_changed_by_staff(people: People, registration: Sold) -> None:
    path = f"/api/registrations/{registration['id']}/"
    for method in ("PUT", "PATCH"):
        must(people.organizer.client.request(method, path, json={"unknown": 1}), 200)
        assert people.stranger.client.request(method, path, json={}).status_code in (403, 404)
    must(people.organizer.client.delete(path), 204)


def pay(registration: Sold, **fields: Any) -> dict[str, Any]:
    paid = {"payment_method": "card", "payment_status": "PENDING", "amount_paid": 10.05}
    return {"registration_id": registration["id"], **paid, **fields}


def test_a_payment_answers_lower_case_and_a_number(people: People, registration: Sold) -> None:
    made = must(people.user.client.post("/api/payments/", json=pay(registration)), 201)
    assert (made["payment_status"], made["payment_method"], made["amount_paid"]) == ("pending", "card", 10.05)
    assert made["registration"] == registration["id"]
    path = f"/api/payments/{made['id']}/"
    assert must(people.user.client.get(path), 200)["amount_paid"] == 10.05
    assert people.stranger.client.get(path).status_code in (403, 404)
    listed = must(people.admin.client.get("/api/payments/?page_size=100"), 200)
    assert made["id"] in [one["id"] for one in listed["payments"]]


def test_only_staff_complete_a_payment(people: People, registration: Sold) -> None:
    complete = pay(registration, payment_status="Completed")
    assert people.user.client.post("/api/payments/", json=complete).status_code == 403
    assert people.stranger.client.post("/api/payments/", json=pay(registration)).status_code in (403, 404)
    assert (
        must(people.organizer.client.post("/api/payments/", json=complete), 201)["payment_status"]
        == "completed"
    )


def test_a_payment_is_changed_and_deleted_by_staff(people: People, registration: Sold) -> None:
    made = must(people.organizer.client.post("/api/payments/", json=pay(registration)), 201)
    path = f"/api/payments/{made['id']}/"
    for method, status in (("PUT", "failed"), ("PATCH", "COMPLETED")):
        changed = people.organizer.client.request(method, path, json={"payment_status": status})
        assert must(changed, 200)["payment_status"] == status.lower()
    assert people.user.client.patch(path, json={"payment_status": "refunded"}).status_code == 403
    assert people.user.client.delete(path).status_code == 403
    must(people.admin.client.delete(path), 204)
    assert people.admin.client.get(path).status_code == 404


def test_a_wrong_payment_status_is_400(people: People, registration: Sold) -> None:
    wrong = pay(registration, payment_status="maybe")
    assert "payment_status" in must(people.user.client.post("/api/payments/", json=wrong), 400)["errors"]


def test_a_ticket_has_a_qr_picture_for_its_holder(people: People, registration: Sold) -> None:
    path = f"/api/registrations/{registration['id']}/qr.png"
    answer = people.user.client.get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/png")
    assert answer.content.startswith(b"\x89PNG")
    assert people.stranger.client.get(path).status_code in (403, 404)


def test_a_code_opens_the_door_once(people: People, registration: Sold) -> None:
    body = {"code": registration["code"]}
    assert people.user.client.post("/api/tickets/check-in/", json=body).status_code == 403
    assert people.other.client.post("/api/tickets/check-in/", json=body).status_code in (403, 404)
    must(people.organizer.client.post("/api/tickets/check-in/", json=body), 200)
    again = must(people.organizer.client.post("/api/tickets/check-in/", json=body), 409)
    assert again["detail"]
    assert people.organizer.client.post("/api/tickets/check-in/", json={"code": "no such"}).status_code == 404
