"""Lists: pages by number and by cursor, and who sees what."""

from typing import Any

import pytest

from services.tickets.tests.house import ORGANIZER


@pytest.mark.parametrize("name", ["tickets", "registrations", "payments"])
def test_a_cursor_goes_through_a_list_once_whatever_comes_meanwhile(house: Any, name: str) -> None:
    event_id = house.know_event()["id"]

    def make() -> str:
        kind = house.make_type(event_id)
        if name == "tickets":
            return kind["id"]
        order = house.order(kind).json()
        return order["id"] if name == "registrations" else house.pay(order).json()["id"]

    made = [make() for _ in range(5)]
    seen, cursor = [], ""
    while cursor is not None:
        url = f"/api/{name}/?page_size=2&cursor={cursor}"
        page = house.client.get(url, headers=house.admin).json()
        seen += [item["id"] for item in page[name]]
        assert "total" not in page["pagination"]
        cursor = page["pagination"].get("next_cursor")
        make()
    assert seen == made[::-1]
    first = house.client.get(f"/api/{name}/?page_size=2", headers=house.admin).json()["pagination"]
    assert (first["page"], first["total"], first["pages"]) == (1, 8, 4)
    following = f"/api/{name}/?page_size=2&cursor={first['next_cursor']}"
    assert len(house.client.get(following, headers=house.admin).json()[name]) == 2


@pytest.mark.parametrize("query", ["cursor=x", "cursor=WzFd", "page=0", "page_size=0", "page=NaN"])
def test_a_page_that_cannot_be_is_400(house: Any, query: str) -> None:
    for name in ("tickets", "registrations", "payments"):
        answer = house.client.get(f"/api/{name}/?{query}", headers=house.admin)
        assert answer.status_code == 400
        assert list(answer.json()["errors"]) == [query.partition("=")[0]]


@pytest.mark.parametrize("how", ["draft", "deleted"])
def test_what_is_sold_for_a_draft_or_a_deleted_event_is_there_only_for_staff(house: Any, how: str) -> None:
    event = house.know_event(status="draft" if how == "draft" else "scheduled")
    kind = house.make_type(event["id"])
    if how == "deleted":
        house.receive("event.deleted", {"id": event["id"]}, 2)
    path = f"/api/tickets/{kind['id']}/"
    for who, there in ((house.admin, True), (house.organizer, True), (house.rival, False), ({}, False)):
        assert (house.client.get(path, headers=who).status_code == 200) is there
        for url in ("/api/tickets/", f"/api/tickets/?event_id={event['id']}"):
            assert (len(house.client.get(url, headers=who).json()["tickets"]) == 1) is there
    bad = {"Authorization": "Bearer nonsense"}
    assert house.client.get("/api/tickets/", headers=bad).status_code == 401


def test_a_type_goes_to_another_event_until_somebody_ordered_it(house: Any) -> None:
    kind, jazz, blues = house.make_type(), house.know_event(), house.know_event(organizer_id=None)
    path = f"/api/tickets/{kind['id']}/"
    moved = house.client.put(path, json={**kind, "event_id": jazz["id"]}, headers=house.organizer)
    assert (moved.status_code, moved.json()["event"]) == (200, jazz["id"])
    to_blues = {"event_id": blues["id"]}
    assert house.client.patch(path, json=to_blues, headers=house.organizer).status_code == 403
    assert house.order(kind).json()["event"] == jazz["id"]
    assert house.client.patch(path, json=to_blues, headers=house.admin).status_code == 409
    assert jazz["organizer_id"] == ORGANIZER
