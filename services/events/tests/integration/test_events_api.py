"""The public calls on one event."""

from typing import Any

import pytest

NOWHERE = "/api/events/018f0000-0000-7000-8000-000000000000/"


def test_a_made_event_is_answered_as_strings_but_for_its_quota(house: Any) -> None:
    made = house.make_event(location="Bandung")
    path = f"/api/events/{made['id']}"
    for form, source in ((path, "database"), (f"{path}/", "cache")):
        answer = house.client.get(form)
        assert answer.status_code == 200
        assert answer.json() == made
        assert answer.headers["X-Data-Source"] == source
        assert answer.headers["Content-Type"] == "application/json"
        # Nobody between here and the reader may keep what may change.
        assert answer.headers["Cache-Control"] == "no-cache"
    assert {name for name, value in made.items() if not isinstance(value, str)} == {"quota", "reminders"}
    assert made["start_time"] == "2030-01-02T19:00:00+07:00"
    assert made["end_time"] == made["description"] == made["category"] == ""
    assert made["status"] == "scheduled"
    assert made["organizer_id"] == "organizer-1"
    assert house.published() == [("event.scheduled", 1)]


def test_what_was_read_can_be_sent_back_and_changes_nothing(house: Any) -> None:
    made = house.make_event(end_time="2030-01-01 08:00", category="music")
    assert made["warnings"]
    path = f"/api/events/{made['id']}/"
    answer = house.client.put(path, json=made, headers=house.organizer)
    assert answer.status_code == 200
    assert answer.json() == made
    assert house.published() == [("event.scheduled", 1)]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_any_subset_of_the_fields_can_be_changed(house: Any, method: str) -> None:
    made = house.make_event()
    path = f"/api/events/{made['id']}/"
    answer = house.client.request(
        method, path, json={"quota": 5, "status": "Cancelled"}, headers=house.organizer
    )
    assert answer.json() == {**made, "quota": 5, "status": "cancelled"}
    assert house.client.get(path).json() == answer.json()
    assert house.published() == [("event.scheduled", 1), ("event.cancelled", 2)]


def test_a_deleted_event_is_gone_and_published_as_gone(house: Any) -> None:
    path = f"/api/events/{house.make_event()['id']}/"
    assert house.client.delete(path, headers=house.organizer).status_code == 204
    assert house.client.get(path).status_code == 404
    assert house.client.delete(path, headers=house.organizer).status_code == 404
    assert house.published() == [("event.scheduled", 1), ("event.deleted", 2)]


def test_a_draft_is_there_only_for_staff_and_leaves_no_trace(house: Any) -> None:
    path = f"/api/events/{house.make_event(status='draft')['id']}/"
    seen = [house.client.get(path, headers=who).status_code for who in ({}, house.user, house.rival)]
    assert seen == [404, 404, 404]
    assert house.client.put(path, json={}, headers=house.rival).status_code == 404
    assert house.client.get(path, headers=house.organizer).status_code == 200
    assert house.client.get(path, headers=house.admin).status_code == 200
    assert house.client.delete(path, headers=house.organizer).status_code == 204
    assert house.published() == []


def test_only_its_organizer_and_admins_change_an_event(house: Any) -> None:
    path = f"/api/events/{house.make_event()['id']}/"
    for who, status in (({}, 401), (house.user, 403), (house.rival, 403), (house.admin, 200)):
        assert house.client.patch(path, json={"name": "x"}, headers=who).status_code == status
    for who, status in (({}, 401), (house.user, 403), (house.rival, 403), (house.admin, 204)):
        assert house.client.delete(path, headers=who).status_code == status


@pytest.mark.parametrize(("who", "status"), [(None, 401), ("user", 403), ("organizer", 201), ("admin", 201)])
def test_organizers_and_admins_make_events(house: Any, who: str | None, status: int) -> None:
    body = {"name": "Jazz", "start_time": "2030-01-02 19:00", "quota": 1}
    headers = getattr(house, who) if who else {}
    assert house.client.post("/api/events/", json=body, headers=headers).status_code == status


def test_a_bad_token_is_refused_even_where_none_is_needed(house: Any) -> None:
    answer = house.client.get(NOWHERE, headers={"Authorization": "Bearer x.y.z"})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""), ("name", "   "), ("name", "x" * 201), ("name", "a\x00b"), ("name", "\ud800"),
        ("name", 7), ("name", None),
        ("description", "x" * 10_001), ("location", "x" * 501), ("category", "x" * 101),
        ("quota", -1), ("quota", 2**31), ("quota", 1.5), ("quota", "many"), ("quota", None), ("quota", True),
        ("start_time", "soon"), ("start_time", None), ("start_time", ""), ("end_time", "later"),
        ("start_time", "0001-01-01 00:00"), ("status", "postponed"), ("timezone", "Mars/Base"),
        ("timezone", "America"), ("organizer_id", "a\x00b"), ("organizer_id", "nobody"),
        ("organizer_id", "../feed"), ("timezone", "\ud800"), ("status", "\ud800"), ("start_time", "\ud800"),
    ],
)  # fmt: skip
def test_a_bad_field_is_named_with_400(house: Any, field: str, value: Any) -> None:
    import json

    body = {"name": "Jazz", "start_time": "2030-01-02 19:00", "quota": 1, field: value}
    headers = {**house.admin, "Content-Type": "application/json"}
    made = house.client.post("/api/events/", content=json.dumps(body), headers=headers)
    assert made.status_code == 400, made.text
    assert field in made.json()["errors"]
    path = f"/api/events/{house.make_event()['id']}/"
    changed = house.client.patch(path, content=json.dumps({field: value}), headers=headers)
    assert changed.status_code == 400, changed.text
    assert field in changed.json()["errors"]


@pytest.mark.parametrize("body", ["[]", '"x"', "1", "null", "", "{", '{"name"', "\xff"])
def test_a_body_that_is_no_object_is_400(house: Any, body: str) -> None:
    headers = {**house.organizer, "Content-Type": "application/json"}
    content = body.encode("latin-1")
    assert house.client.post("/api/events/", content=content, headers=headers).status_code == 400


@pytest.mark.parametrize("field", ["name", "start_time", "quota"])
def test_name_start_and_quota_are_required(house: Any, field: str) -> None:
    body = {"name": "Jazz", "start_time": "2030-01-02 19:00", "quota": 1}
    del body[field]
    answer = house.client.post("/api/events/", json=body, headers=house.organizer)
    assert answer.status_code == 400
    assert field in answer.json()["errors"]


@pytest.mark.parametrize("id_", ["1", "x", "%00", "..%2f", "018f0000-0000-7000-8000-00000000000g"])
def test_an_id_that_is_none_is_404(house: Any, id_: str) -> None:
    assert house.client.get(f"/api/events/{id_}/").status_code == 404
    assert house.client.delete(f"/api/events/{id_}/", headers=house.admin).status_code == 404


def test_null_empties_a_text_and_leaves_a_zone_as_it_is(house: Any) -> None:
    made = house.make_event(location="Bandung", end_time="2030-01-02 22:00")
    body = {"location": None, "end_time": None, "timezone": None, "status": None, "organizer_id": None}
    answer = house.client.patch(f"/api/events/{made['id']}/", json=body, headers=house.organizer)
    assert answer.json() == {**made, "location": "", "end_time": ""}
