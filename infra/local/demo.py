"""Plays the main job: an event, three orders, three reminders."""

import secrets
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TextIO

import httpx

REMINDER_SECONDS = 45.0
PEOPLE = (("Sari", "Dewi", "id"), ("Alice", "Moore", "en"), ("Budi", "Santoso", "id"))


class DemoFailedError(Exception):
    """A step of the demo did not work; the text says which and why."""


class _Client:
    """Calls the API as somebody."""

    def __init__(self, url: str, token: str = "") -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=10)

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            answer = self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise DemoFailedError(f"{method} {path}: {error}") from None
        if answer.is_error:
            raise DemoFailedError(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json()


def play(values: Mapping[str, str], out: TextIO, stopped: threading.Event) -> None:
    """Shows each step, and each reminder as it arrives; raises DemoFailedError."""
    url, tag = values["API_URL"], secrets.token_hex(3)
    password = secrets.token_urlsafe(12)
    root = _login(url, values["SUPERUSER_USERNAME"], values["SUPERUSER_PASSWORD"])
    _say(out, f"the superuser {values['SUPERUSER_USERNAME']} is signed in")
    organizer = _organizer(url, root, tag, password)
    _say(out, f"{organizer} is an organizer")
    boss = _login(url, organizer, password)
    event = _make_event(boss)
    _say(out, f"{organizer} made the event {event['name']!r}, which starts at {event['start_time']}")
    ticket = boss.call(
        "POST", "/api/tickets/", {"event_id": event["id"], "name": "Reguler", "price": 150000, "quota": 40}
    )
    _say(out, f"{organizer} sells the ticket {ticket['name']!r}")
    addresses = set()
    for first, last, locale in PEOPLE:
        address = f"{first.lower()}.{tag}@dicoevent.example"
        person = {
            "username": f"{first.lower()}-{tag}",
            "password": password,
            "email": address,
            "first_name": first,
            "last_name": last,
            "locale": locale,
        }
        _Client(url).call("POST", "/api/users/", person)
        customer = _login(url, person["username"], password)
        order = customer.call("POST", "/api/registrations/", {"ticket_id": ticket["id"]})
        _say(out, f"{first} {last} <{address}> ordered ticket {order['code']}")
        addresses.add(address)
    if "INBOX_URL" in values:
        _show_mails(values["INBOX_URL"], addresses, out, stopped)
    else:
        _show_ledger(root, event["id"], len(addresses), values["MAIL_HOST"], out, stopped)


def _login(url: str, username: str, password: str) -> _Client:
    tokens = _Client(url).call("POST", "/api/login/", {"username": username, "password": password})
    return _Client(url, tokens["access"])


def _organizer(url: str, root: _Client, tag: str, password: str) -> str:
    groups = {group["name"]: group["id"] for group in root.call("GET", "/api/groups/")["groups"]}
    group_id = groups.get("organizer") or root.call("POST", "/api/groups/", {"name": "organizer"})["id"]
    name = f"rina-{tag}"
    user = {
        "username": name,
        "password": password,
        "email": f"{name}@dicoevent.example",
        "first_name": "Rina",
    }
    user_id = _Client(url).call("POST", "/api/users/", user)["id"]
    root.call("POST", "/api/assign-roles/", {"user_id": user_id, "group_id": group_id})
    return name


def _make_event(boss: _Client) -> dict[str, Any]:
    start = datetime.now(UTC) + timedelta(hours=2)
    event = {
        "name": "Malam Jazz di Kota Tua",
        "description": "Three bands, one old square.",
        "location": "Taman Fatahillah, Jakarta",
        "start_time": start.isoformat(timespec="seconds"),
        "end_time": (start + timedelta(hours=3)).isoformat(timespec="seconds"),
        "status": "scheduled",
        "quota": 50,
        "category": "music",
        "timezone": "Asia/Jakarta",
    }
    return boss.call("POST", "/api/events/", event)


def _show_mails(inbox_url: str, addresses: set[str], out: TextIO, stopped: threading.Event) -> None:
    inbox = _Client(inbox_url)
    _say(out, "waiting for the reminders")
    missing, deadline = set(addresses), time.monotonic() + REMINDER_SECONDS
    while missing and not stopped.wait(0.2):
        for message in inbox.call("GET", "/api/v1/messages?start=0&limit=50")["messages"]:
            if (address := message["To"][0]["Address"]) in missing:
                missing.remove(address)
                text = inbox.call("GET", f"/api/v1/message/{message['ID']}")["Text"]
                _show_mail(address, message["Subject"], text, out)
        if missing and time.monotonic() > deadline:
            raise DemoFailedError(
                f"no reminder for {', '.join(sorted(missing))} within {REMINDER_SECONDS:.0f} s"
            )


def _show_mail(address: str, subject: str, text: str, out: TextIO) -> None:
    body = "".join(f"  | {line}\n" for line in text.strip().splitlines())
    out.write(f"\n  reminder for {address}\n  | Subject: {subject}\n  |\n{body}\n")
    out.flush()


def _show_ledger(
    root: _Client, event_id: str, wanted: int, host: str, out: TextIO, stopped: threading.Event
) -> None:
    _say(out, f"the reminders go to the mail server {host}")
    deadline = time.monotonic() + REMINDER_SECONDS
    while not stopped.wait(0.5):
        ledger = root.call("GET", f"/api/notifications/events/{event_id}/")
        if ledger["counts"].get("accepted", 0) == wanted:
            _say(out, f"{host} took all {wanted} reminders")
            return
        if time.monotonic() > deadline:
            raise DemoFailedError(f"{host} has not taken all reminders: {ledger['counts']}")


def _say(out: TextIO, text: str) -> None:
    out.write(f"  - {text}\n")
    out.flush()
