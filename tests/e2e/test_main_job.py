"""The main job through the gateway: order a ticket, be reminded."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from shared.testing import example, wait_until
from tests.e2e.client import ROOT, RunningSystem, make_event, must, order

pytestmark = pytest.mark.e2e


def test_everyone_who_ordered_is_reminded_once_two_hours_before(system: RunningSystem) -> None:
    _, organizer = system.new_user("organizer")
    event = make_event(organizer, timedelta(hours=2), timezone="Asia/Jakarta")
    people = [system.new_user(locale=locale) for locale in ("en", "id", "en")]
    for _, client in people:
        order(client, event)
    order(people[0][1], event)
    addresses = [address for address, _ in people]
    wait_until(lambda: len(system.mails(*addresses)) == 3, "three reminders")
    for address, word, when in zip(
        addresses, ("Reminder", "Pengingat", "Reminder"), ("two hours", "dua jam", "two hours"), strict=True
    ):
        [mail] = system.mails(address)
        text = system.text(mail)
        assert word in mail["Subject"]
        assert all(part in text for part in (event["name"], when, "Kota Tua", "Asia/Jakarta"))


def test_asked_ten_times_nobody_gets_a_second_copy(system: RunningSystem) -> None:
    _, organizer = system.new_user("organizer")
    _, admin = system.new_user("admin")
    event = make_event(organizer, timedelta(hours=1))
    address, client = system.new_user()
    order(client, event)
    for _ in range(10):
        answer = must(admin.post("/api/events/send-reminders/", json={"event_id": event["id"]}), 202)
        assert answer["message"] == "Event reminder task has been queued successfully"
    run = f"/api/notifications/runs/{answer['task_id']}/"
    wait_until(lambda: must(admin.get(run), 200)["state"] == "finished", "the last run is finished")
    assert must(admin.get(run), 200)["accepted"] == 1
    assert len(system.mails(address)) == 1
    everything = must(admin.post("/api/events/send-reminders/"), 202)["task_id"]
    assert must(admin.get(f"/api/notifications/runs/{everything}/"), 200)["event_id"] is None
    assert client.post("/api/events/send-reminders/").status_code == 403


def test_reminders_can_be_asked_for_from_python(system: RunningSystem) -> None:
    _, admin = system.new_user("admin")
    code = "from services.notifications.tasks import send_event_reminders as s; print(s.delay().id)"
    environment = {"CELERY_BROKER_URL": system.env["CELERY_BROKER_URL"]}
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    run = f"/api/notifications/runs/{result.stdout.strip()}/"
    wait_until(lambda: admin.get(run).status_code == 200, "the run is noted")


def test_an_event_that_has_started_is_not_reminded_of(system: RunningSystem) -> None:
    _, admin = system.new_user("admin")
    event = make_event(admin, timedelta(hours=-1))
    wait = admin.post("/api/events/send-reminders/", json={"event_id": event["id"]})
    assert wait.status_code == 409
    unknown = {"event_id": "01930000-0000-7000-8000-000000000000"}
    assert admin.post("/api/events/send-reminders/", json=unknown).status_code == 404


def test_the_quota_holds_whatever_the_concurrency(system: RunningSystem) -> None:
    _, organizer = system.new_user("organizer")
    event = make_event(organizer, timedelta(hours=5), quota=3)
    _, client = system.new_user()
    body = {"ticket_id": event["ticket_id"]}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.post("/api/registrations/", json=body), range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 5


def test_a_message_injected_from_the_shell_gets_its_reminder(system: RunningSystem, tmp_path) -> None:
    message = example("ticket.ordered")
    message["data"]["event"].update(
        id="injected", starts_at=(datetime.now(UTC) + timedelta(minutes=90)).isoformat(), ends_at=None
    )
    message["data"]["holder"].update(id="guest", email="guest@dicoevent.example", locale="en")
    message["data"]["ticket"]["id"] = "injected-1"
    file = tmp_path / "message.json"
    file.write_text(json.dumps(message["data"]))
    result = system.run("infra.local.inject", "ticket.ordered", "--file", str(file))
    assert result.returncode == 0, result.stderr
    wait_until(lambda: system.mails("guest@dicoevent.example"), "the reminder")


def test_rubbish_is_seen_in_the_dead_letters_and_can_be_replayed(system: RunningSystem) -> None:
    root = system.as_user("root")
    result = system.run("infra.local.inject", "ticket.stolen", "--data", "{}", "--queue", "notifications")
    assert result.returncode == 0, result.stderr
    path = "/api/notifications/dead-letters/"

    def letters() -> list[dict[str, Any]]:
        found = must(root.get(path), 200)["dead_letters"]
        return [letter for letter in found if "ticket.stolen" in letter["reason"]]

    wait_until(letters, "the dead letter")
    [letter] = letters()
    must(root.post(f"{path}{letter['id']}/replay/"), 202)
    assert [kept["id"] for kept in letters()] == [letter["id"]]


def test_every_health_endpoint_answers(system: RunningSystem) -> None:
    urls = [system.env[f"{s}_URL"] for s in ("API", "ACCOUNTS", "EVENTS", "TICKETS", "NOTIFICATIONS")]
    for url in urls:
        body = must(httpx.get(f"{url}/health", timeout=20), 200)
        assert body["status"] == "ok"
        assert all(check["status"] == "ok" for check in body["checks"].values())


def test_the_mail_settings_can_be_checked(system: RunningSystem) -> None:
    result = system.run("infra.local.mail_check", "probe@dicoevent.example")
    assert result.returncode == 0, result.stderr
    assert "took the mail" in result.stdout
    assert system.all_mails("probe@dicoevent.example")


def test_a_cancelled_event_is_told_at_once_and_reminds_nobody(system: RunningSystem) -> None:
    _, organizer = system.new_user("organizer")
    event = make_event(organizer, timedelta(hours=5))
    address, client = system.new_user(locale="id")
    order(client, event)
    wait_until(lambda: len(system.all_mails(address)) == 1, "the order is confirmed")
    must(organizer.patch(f"/api/events/{event['id']}/", json={"status": "cancelled"}), 200)
    wait_until(lambda: len(system.all_mails(address)) == 2, "the cancellation is told")
    newest, first = (mail["Subject"] for mail in system.all_mails(address))
    assert first == f"Tiket Anda untuk {event['name']}"
    assert newest == f"Dibatalkan: {event['name']} tidak jadi berlangsung"
    assert system.mails(address) == []
