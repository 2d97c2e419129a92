"""What clients send by mistake or on purpose: a clear 4xx, and nothing is stored."""

import json

import pytest
from sqlalchemy import func, select

from services.events.tables import events
from services.events.tests.integration.conftest import House
from shared.outbox.tables import outbox

GOOD = {"name": "Jazz", "start_time": "2030-01-02 19:00", "quota": 1}
MEGABYTE = "x" * 1_000_000
TEXTS = ("name", "location", "category", "description", "reminder_note")
WORDS = ("start_time", "end_time", "timezone", "status", "organizer_id")
VALUES = [
    *((field, bad) for field in TEXTS for bad in ("\0", "a\x07b", "\x7f", "\ud800", MEGABYTE, 7, [], True)),
    *((field, "a\nb") for field in ("name", "location", "category")),
    *((field, bad) for field in WORDS for bad in ("\0", "\ud800", MEGABYTE, "2030-13-45 99:99", 7, [], {})),
    *(("quota", bad) for bad in (-1, 2**31, 2**63, 10**400, -(10**400), 1.5, "NaN", "x", [], {}, False)),
]  # fmt: skip
BODIES = (
    ('{"quota": NaN}', "application/json", 400),
    ('{"quota": -Infinity}', "application/json", 400),
    ('{"quota": 1e400}', "application/json", 400),
    ("[" * 100_000, "application/json", 400),
    ('{"a":' * 5_000 + "1" + "}" * 5_000, "application/json", 400),
    ('{"name": "\\ud800"}', "application/json", 400),
    ('{"name": "x"', "application/json", 400),
    (json.dumps(GOOD), "text/plain", 415),
    (json.dumps(GOOD), "application/xml", 415),
    ("name=x", "application/x-www-form-urlencoded", 415),
    ("--b--", "multipart/form-data; boundary=b", 415),
)
METHODS = ("POST", "PUT", "PATCH")


def counted(house: House) -> tuple[int, int]:
    with house.engine.connect() as connection:
        made = connection.scalar(select(func.count()).select_from(events))
        return made, connection.scalar(select(func.count()).select_from(outbox))


def path_for(house: House, method: str) -> str:
    event = house.make_event()
    return "/api/events/" if method == "POST" else f"/api/events/{event['id']}/"


@pytest.mark.parametrize("method", METHODS)
def test_a_bad_value_is_400_names_its_field_and_stores_nothing(house: House, method: str) -> None:
    path = path_for(house, method)
    before = counted(house)
    headers = {**house.admin, "Content-Type": "application/json"}
    for field, value in VALUES:
        content = json.dumps({**GOOD, field: value})
        answer = house.client.request(method, path, content=content, headers=headers)
        shown = f"{field}={repr(value)[:40]}: {answer.text[:300]}"
        assert answer.status_code == 400, shown
        assert list(answer.json()["errors"]) == [field], shown
        assert len(answer.text) < 2_000, shown
    assert counted(house) == before


@pytest.mark.parametrize("method", METHODS)
def test_a_bad_body_is_refused_and_stores_nothing(house: House, method: str) -> None:
    path = path_for(house, method)
    before = counted(house)
    for content, type_, status in BODIES:
        headers = {**house.admin, "Content-Type": type_}
        answer = house.client.request(method, path, content=content.encode(), headers=headers)
        assert answer.status_code == status, f"{type_} {content[:40]}: {answer.text[:300]}"
        assert answer.json()["detail"]
    assert counted(house) == before


def test_unknown_fields_are_ignored(house: House) -> None:
    body = {**GOOD, "id": "mine", "version": 99, "published": True, "ticket": {"deep": [1]}}
    answer = house.client.post("/api/events/", json=body, headers=house.organizer)
    assert answer.status_code == 201
    assert answer.json()["id"] != "mine"
    assert set(body) & set(answer.json()) == {*GOOD, "id"}
