"""Lead times and note: what an event says of its own reminders."""

import json
from typing import Any

import pytest
from sqlalchemy import select, text

from services.events.tests.integration.conftest import House
from shared.outbox.tables import outbox


def told(house: House) -> dict[str, Any]:
    """The data of the newest message."""
    with house.engine.connect() as connection:
        return connection.scalars(select(outbox.c.envelope).order_by(outbox.c.seq.desc())).first()["data"]


def path_of(event: dict[str, Any]) -> str:
    return f"/api/events/{event['id']}/"


def test_without_lead_times_the_default_is_shown_and_not_told(house: House) -> None:
    event = house.make_event()
    assert event["reminders"] == [120]
    assert event["reminder_note"] == ""
    assert "reminders" not in told(house)
    with house.engine.connect() as connection:
        assert connection.scalar(text("SELECT reminders FROM events")) is None


def test_given_ones_are_told_furthest_first_and_each_once(house: House) -> None:
    event = house.make_event(reminders=[30, 1440, 30, 43200], reminder_note="Bring\na torch.")
    assert event["reminders"] == told(house)["reminders"] == [43200, 1440, 30]
    assert told(house)["reminder_note"] == event["reminder_note"] == "Bring\na torch."
    assert told(house)["version"] == 1
    assert house.client.get(path_of(event)).json() == event


def test_an_empty_list_is_no_reminder_and_null_the_default_again(house: House) -> None:
    event = house.make_event(reminders=[60])
    for given, shown, told_of in (([], [], []), ([15], [15], [15]), (None, [120], None)):
        answer = house.client.patch(path_of(event), json={"reminders": given}, headers=house.organizer)
        assert answer.json()["reminders"] == shown
        assert told(house).get("reminders") == told_of
    answer = house.client.patch(path_of(event), json={"reminder_note": None}, headers=house.organizer)
    assert answer.json()["reminder_note"] == ""


def test_the_default_sent_back_as_it_was_read_stays_the_default(house: House) -> None:
    event = house.make_event()
    answer = house.client.put(path_of(event), json={**event, "name": "Blues"}, headers=house.organizer)
    assert answer.json()["reminders"] == [120]
    assert "reminders" not in told(house)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("reminders", [0]), ("reminders", [43201]), ("reminders", [-5]), ("reminders", [True]),
        ("reminders", ["soon"]), ("reminders", [1.5]), ("reminders", "120"), ("reminders", {}),
        ("reminders", list(range(1, 12))), ("reminders", [2**70]), ("reminders", [None]),
        ("reminder_note", "x" * 2001), ("reminder_note", "a\x00b"), ("reminder_note", "a\x1bb"),
        ("reminder_note", "\ud800"), ("reminder_note", 7),
    ],
)  # fmt: skip
def test_bad_ones_are_400_and_change_nothing(house: House, field: str, value: Any) -> None:
    event = house.make_event()
    headers = {**house.organizer, "Content-Type": "application/json"}
    answer = house.client.patch(path_of(event), content=json.dumps({field: value}), headers=headers)
    assert answer.status_code == 400, answer.text
    assert any(name.startswith(field) for name in answer.json()["errors"])
    assert house.client.get(path_of(event)).json() == event
