"""The contract's rows on notifications, through the gateway."""

import re
import uuid
from datetime import timedelta
from email import message_from_bytes
from email.message import Message
from typing import Any

import httpx
import pytest

from shared.testing import wait_until
from tests.e2e.client import RunningSystem, make_event, must, order
from tests.e2e.people import People

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def reminded(system: RunningSystem, people: People) -> dict[str, Any]:
    """An event within its lead time whose one holder has had his reminder: {.., "mail"}."""
    event = make_event(people.organizer.client, timedelta(hours=1))
    order(people.user.client, event)

    wait_until(lambda: reminders(system, people.user.address, event), "the reminder")
    return {**event, "mail": reminders(system, people.user.address, event)[0]}


def reminders(system: RunningSystem, address: str, event: dict[str, Any]) -> list[dict[str, Any]]:
    """The reminders of an event that came for an address; a confirmation of the order is none."""
    return [
        mail
        for mail in system.mails(address)
        if event["name"] in mail["Subject"] and "reminder" in mail["Subject"].lower()
    ]


def headers_of(system: RunningSystem, mail: dict[str, Any]) -> Message:
    url = f"{system.env['INBOX_URL']}/api/v1/message/{mail['ID']}/raw"
    return message_from_bytes(httpx.get(url, timeout=20).content)


def send(client: httpx.Client, **body: Any) -> httpx.Response:
    return client.post("/api/events/send-reminders/", json=body)


def finished(people: People, run: str) -> dict[str, Any]:
    path = f"/api/notifications/runs/{run}/"
    wait_until(lambda: people.admin.client.get(path).json().get("state") == "finished", "the run is finished")
    return must(people.admin.client.get(path), 200)


def test_within_the_lead_time_who_was_reminded_is_not_reminded_again(
    people: People, reminded: dict[str, Any]
) -> None:
    run = finished(people, must(send(people.admin.client, event_id=reminded["id"]), 202)["task_id"])
    assert set(run) >= {
        "state", "events", "recipients", "accepted", "retrying", "failed", "suppressed",
        "started_at", "finished_at",
    }  # fmt: skip
    assert (run["recipients"], run["accepted"]) == (1, 1)


def test_earlier_it_is_a_manual_reminder_once_unless_asked_for_again(
    system: RunningSystem, people: People
) -> None:
    event = make_event(people.organizer.client, timedelta(days=3))
    order(people.stranger.client, event)

    def mails_after_a_run(again: bool = False) -> int:
        finished(people, must(send(people.admin.client, event_id=event["id"], again=again), 202)["task_id"])
        return len(reminders(system, people.stranger.address, event))

    wait_until(lambda: mails_after_a_run() == 1, "the order is known to notifications, and reminded of")
    assert mails_after_a_run() == 1
    assert mails_after_a_run(again=True) == 2


def test_a_started_or_cancelled_event_is_409_and_an_unknown_one_404(people: People) -> None:
    started = make_event(people.organizer.client, timedelta(hours=-1))
    assert send(people.admin.client, event_id=started["id"]).status_code == 409
    cancelled = make_event(people.organizer.client, timedelta(hours=5))
    must(people.organizer.client.patch(f"/api/events/{cancelled['id']}/", json={"status": "cancelled"}), 200)
    wait_until(lambda: send(people.admin.client, event_id=cancelled["id"]).status_code == 409, "it is known")
    assert send(people.admin.client, event_id=str(uuid.uuid4())).status_code == 404


@pytest.mark.parametrize(("who", "status"), [("user", 403), ("organizer", 403), ("anyone", 401)])
def test_runs_and_retries_are_for_admins(people: People, who: str, status: int) -> None:
    client = getattr(people, who).client
    assert client.get(f"/api/notifications/runs/{uuid.uuid4()}/").status_code == status
    assert client.post(f"/api/notifications/deliveries/{uuid.uuid4()}/retry/").status_code == status


def test_what_is_not_there_is_404(people: People) -> None:
    admin = people.admin.client
    assert admin.get(f"/api/notifications/runs/{uuid.uuid4()}/").status_code == 404
    assert admin.post(f"/api/notifications/deliveries/{uuid.uuid4()}/retry/").status_code == 404
    assert admin.get(f"/api/notifications/events/{uuid.uuid4()}/").status_code == 404
    letter = f"/api/notifications/dead-letters/{uuid.uuid4()}/replay/"
    assert people.root.client.post(letter).status_code in (400, 404)


@pytest.mark.parametrize(
    ("who", "status"), [("organizer", 200), ("admin", 200), ("other", 403), ("user", 403), ("anyone", 401)]
)
def test_the_ledger_is_for_the_events_staff(
    people: People, reminded: dict[str, Any], who: str, status: int
) -> None:
    answer = getattr(people, who).client.get(f"/api/notifications/events/{reminded['id']}/")
    ledger = must(answer, status)
    if status == 200:
        assert set(ledger["punctuality"]) >= {"p50", "p95", "max"} or "p50" in str(ledger["punctuality"])
        assert "accepted" in str(ledger)
        assert ledger["pagination"]["total"] >= 1


def test_dead_letters_are_for_superusers(system: RunningSystem, people: People) -> None:
    sent = system.run("infra.local.inject", "ticket.broken", "--data", "{}", "--queue", "notifications")
    assert sent.returncode == 0, sent.stderr
    path = "/api/notifications/dead-letters/"

    def letters() -> list[dict[str, Any]]:
        found = must(people.root.client.get(f"{path}?page_size=100"), 200)["dead_letters"]
        return [letter for letter in found if "ticket.broken" in letter["reason"]]

    wait_until(lambda: letters(), "the dead letter with its reason")
    must(people.root.client.post(f"{path}{letters()[0]['id']}/replay/"), 202)
    for who, status in ((people.admin, 403), (people.user, 403), (people.anyone, 401)):
        assert who.client.get(path).status_code == status


def test_one_click_unsubscribes_and_people_get_a_page(
    system: RunningSystem, people: People, reminded: dict[str, Any]
) -> None:
    headers = headers_of(system, reminded["mail"])
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    [link] = re.findall(r"<(http[^>]+)>", "".join(headers["List-Unsubscribe"].split()))
    path = httpx.URL(link).raw_path.decode()
    assert path.startswith("/unsubscribe/")
    page = people.anyone.client.get(path)
    assert (page.status_code, page.headers["Content-Type"].partition(";")[0]) == (200, "text/html")
    clicked = people.anyone.client.post(path, data={"List-Unsubscribe": "One-Click"})
    assert clicked.status_code in (200, 202, 204)
    assert people.anyone.client.get("/unsubscribe/forged.token").status_code in (400, 404)
