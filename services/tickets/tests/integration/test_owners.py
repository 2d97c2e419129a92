"""What was made or changed a moment ago in another service; Redis has no part in it."""

from typing import Any

import sqlalchemy as sa

from services.tickets.tables import events
from services.tickets.tests.house import USER


def owner_knows(house: Any, event: dict[str, Any], **changes: Any) -> None:
    house.events.things[f"events/{event['id']}"] = {**event, "version": 2, **changes}


def test_an_event_that_was_opened_a_moment_ago_sells_at_once(house: Any) -> None:
    event = house.know_event(status="draft")
    kind = house.make_type(event["id"])
    owner_knows(house, event, status="scheduled")
    assert house.order(kind).status_code == 201
    assert house.events.asked == [f"events/{event['id']}"]


def test_a_sale_that_is_closed_is_not_asked_about_by_every_visitor(house: Any) -> None:
    event = house.know_event(status="cancelled")
    kind = house.make_type(event["id"])
    owner_knows(house, event, status="cancelled")
    assert {house.order(kind).status_code for _ in range(5)} == {409}
    assert len(house.events.asked) <= 2
    house.events.away = True
    assert house.order(kind).status_code == 409


def test_a_type_whose_event_was_never_told_of_asks_for_it(house: Any) -> None:
    event = house.know_event()
    kind = house.make_type(event["id"])
    with house.engine.begin() as connection:
        connection.execute(sa.delete(events))
    assert house.client.get(f"/api/tickets/{kind['id']}/").status_code == 200
    assert house.order(kind).status_code == 404
    owner_knows(house, event)
    assert house.order(kind, key="k").status_code == 201
    assert house.events.asked == [f"events/{event['id']}"] * 2
    assert house.accounts.asked == [f"users/{USER}"]
