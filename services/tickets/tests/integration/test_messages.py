"""What the service learns from others."""

from typing import Any

from sqlalchemy import text

from services.tickets.tests.house import OTHER, USER, person
from shared.messages import parse, read_envelope


def test_only_a_newer_change_of_an_event_applies(house: Any) -> None:
    event = house.know_event(version=2)
    kind = house.make_type(event["id"])
    house.receive("event.updated", {**event, "version": 3, "timezone": "UTC", "quota": 1}, 3)
    house.receive("event.updated", {**event, "version": 2, "quota": 50}, 2)
    assert house.order(kind).status_code == 201
    assert house.order(kind).status_code == 409
    assert house.published()[0]["data"]["event"]["version"] == 3


def test_a_change_of_an_event_keeps_count_of_its_seats(house: Any) -> None:
    event = house.know_event(quota=2)
    kind = house.make_type(event["id"])
    house.order(kind)
    house.receive("event.updated", {**event, "version": 2, "name": "Blues"}, 2)
    assert house.order(kind).status_code == 201
    assert house.order(kind).status_code == 409


def test_a_cancelled_event_sells_no_more(house: Any) -> None:
    event = house.know_event()
    kind = house.make_type(event["id"])
    house.receive("event.cancelled", {**event, "version": 2}, 2)
    assert house.order(kind).status_code == 409


def test_a_deleted_event_stays_deleted_whatever_comes_late(house: Any) -> None:
    event = house.know_event()
    kind = house.make_type(event["id"])
    house.receive("event.deleted", {"id": event["id"]}, 9)
    house.receive("event.updated", {**event, "version": 99}, 99)
    assert house.order(kind).status_code == 409
    body = {"event_id": event["id"], "name": "VIP", "price": 1, "quota": 1}
    assert house.client.post("/api/tickets/", json=body, headers=house.admin).status_code == 400
    assert house.events.asked == []


def test_a_person_who_was_told_of_is_not_asked_for(house: Any) -> None:
    house.receive("user.registered", person(USER))
    house.receive("user.updated", person(USER, version=2, email="new@example.com"), 2)
    house.order(house.make_type())
    assert house.published()[0]["data"]["holder"]["email"] == "new@example.com"
    assert house.accounts.asked == []


def test_a_deleted_person_is_nobody_and_is_not_asked_for(house: Any) -> None:
    kind = house.make_type()
    house.receive("user.deleted", {"id": USER})
    house.receive("user.updated", person(USER, version=9), 9)
    assert house.order(kind).status_code == 400
    assert house.accounts.asked == []


def test_a_deleted_person_leaves_every_message_valid_and_without_his_name_and_address(house: Any) -> None:
    kind = house.make_type()
    house.order(kind)
    forgotten = house.order(kind).json()
    house.client.delete(f"/api/registrations/{forgotten['id']}/", headers=house.user)
    house.accounts.things[f"users/{OTHER}"] = person(OTHER, name="Budi", email="budi@example.com")
    house.order(kind, house.other)
    house.receive("user.deleted", {"id": USER})
    messages = house.published()
    assert "rina" not in str(messages).lower()
    ordered = [m["data"]["holder"] for m in messages if m["type"] == "ticket.ordered"]
    told = [(holder["name"], holder["email"]) for holder in ordered]
    assert told == [("", "deleted@invalid.example")] * 2 + [("Budi", "budi@example.com")]
    for message in messages:
        parse(read_envelope(message))


def test_of_a_deleted_person_no_table_holds_name_or_address(house: Any) -> None:
    kind = house.make_type()
    order = house.order(kind, key="k").json()
    assert house.pay(order, key="k").status_code == 201
    house.receive("user.updated", {**person(USER, version=2), "locale": "x" * 99}, 2)
    house.receive("user.deleted", {"id": USER}, 3)
    with house.engine.connect() as connection:
        names = connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
        rows = [str(row) for name in names for row in connection.execute(text(f'SELECT * FROM "{name}"'))]
    assert order["id"] in str(rows)
    assert [row for row in rows if "rina" in row.lower()] == []
    assert house.client.get(f"/api/registrations/{order['id']}/", headers=house.organizer).status_code == 200
    assert len(house.client.get("/api/payments/", headers=house.organizer).json()["payments"]) == 1
