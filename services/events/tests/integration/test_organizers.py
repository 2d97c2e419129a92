"""Who an event's organizer may be, the users' copies, and the internal door."""

from pathlib import Path
from typing import Any

from services.events import projections
from services.events.consumer import HANDLERS
from services.events.storage.folder import FolderStorage
from services.events.tests.integration.conftest import open_house
from shared.inbox import Receiver

BODY = {"name": "Jazz", "start_time": "2030-01-02 19:00", "quota": 1}


def post(house: Any, who: dict[str, str], **fields: Any) -> int:
    return house.client.post("/api/events/", json={**BODY, **fields}, headers=who).status_code


def take(house: Any, id_: str, type_: str, sequence: int, **data: Any) -> None:
    envelope = {
        "specversion": "1.0", "id": id_, "type": type_, "source": "/accounts", "sequence": sequence,
        "data": {"id": "u9", **data},
    }  # fmt: skip
    Receiver(house.engine, HANDLERS).receive(envelope)


def known(house: Any, user_id: str) -> bool | None:
    with house.engine.connect() as connection:
        return projections.find_user(connection, user_id)


def test_an_organizer_makes_events_only_for_himself(house: Any) -> None:
    assert post(house, house.organizer, organizer_id="organizer-2") == 403
    path = f"/api/events/{house.make_event()['id']}/"
    gift = {"organizer_id": "organizer-2"}
    assert house.client.patch(path, json=gift, headers=house.organizer).status_code == 403
    assert house.client.patch(path, json=gift, headers=house.admin).status_code == 200
    assert house.client.patch(path, json={"name": "x"}, headers=house.organizer).status_code == 403


def test_accounts_is_asked_once_about_an_unknown_organizer(house: Any) -> None:
    for _ in range(2):
        assert post(house, house.admin, organizer_id="organizer-1") == 201
    assert house.accounts.asked == ["users/organizer-1"]
    assert post(house, house.admin, organizer_id="nobody") == 400


def test_with_accounts_away_only_the_caller_himself_is_believed(house: Any) -> None:
    house.accounts.away = True
    assert post(house, house.organizer) == 201
    assert post(house, house.admin, organizer_id="organizer-1") == 503
    assert known(house, "organizer-1") is None


def test_a_deleted_user_is_no_organizer_and_no_late_message_brings_him_back(house: Any) -> None:
    take(house, "m1", "user.registered", 1, email="u9@example.com", name="Nine")
    assert known(house, "u9") is True
    assert post(house, house.admin, organizer_id="u9") == 201
    take(house, "m2", "user.deleted", 2)
    take(house, "m3", "user.updated", 7, email="u9@example.com", name="Nine")
    assert known(house, "u9") is False
    assert post(house, house.admin, organizer_id="u9") == 400


def test_an_older_change_of_a_user_is_ignored(house: Any) -> None:
    from sqlalchemy import select

    from services.events.tables import users

    take(house, "m2", "user.updated", 2, email="u9@example.com", name="New")
    take(house, "m1", "user.registered", 1, email="u9@example.com", name="Old")
    with house.engine.connect() as connection:
        assert connection.scalar(select(users.c.name)) == "New"


def test_other_services_get_drafts_too_and_need_the_token(house: Any) -> None:
    made = house.make_event(status="draft", end_time="2029-01-01 10:00")
    path = f"/internal/events/{made['id']}"
    assert house.client.get(path).status_code == 401
    token = {"X-Service-Token": "between-services"}
    data = house.client.get(path, headers=token).json()
    assert data["id"] == made["id"]
    assert data["status"] == "draft"
    assert data["ends_at"] is None
    assert data["version"] == 1
    assert house.client.get("/internal/events/x", headers=token).status_code == 404
    assert house.client.get("/internal/feed", headers=token).status_code == 200


def test_an_event_made_just_now_is_there_for_other_services_with_redis_down(
    house: Any, tmp_path: Path
) -> None:
    with open_house(house.engine, "redis://127.0.0.1:1/0", FolderStorage(tmp_path)) as cut_off:
        made = cut_off.make_event(cut_off.organizer, reminders=[60], reminder_note="Bring a torch.")
        token = {"X-Service-Token": "between-services"}
        for replica in (house, cut_off):
            data = replica.client.get(f"/internal/events/{made['id']}", headers=token).json()
            assert (data["id"], data["version"], data["reminders"]) == (made["id"], 1, [60])
            assert data["reminder_note"] == "Bring a torch."
        assert cut_off.accounts.asked == ["users/organizer-1"]
        cut_off.make_event(cut_off.organizer)
        assert cut_off.accounts.asked == ["users/organizer-1"]


def test_the_events_of_a_deleted_user_stay(house: Any) -> None:
    take(house, "m1", "user.registered", 1, email="u9@example.com", name="Nine")
    made = house.make_event(house.admin, organizer_id="u9")
    take(house, "m2", "user.deleted", 2)
    path = f"/api/events/{made['id']}/"
    assert house.client.get(path).json() == made
    assert (
        house.client.patch(path, json={"organizer_id": "organizer-1"}, headers=house.admin).status_code == 200
    )
