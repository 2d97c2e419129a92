"""A running system as its users and operators meet it: the gateway, the inbox, the operator's tools."""

import subprocess
import uuid
from abc import abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import httpx

ROOT = Path(__file__).parents[2]
PASSWORD = "1234qwer!@#$"


class RunningSystem(Protocol):
    """A system on this machine or a composed one. `env` names its API_URL, INBOX_URL, CELERY_BROKER_URL and
    the URL of each service."""

    @property
    @abstractmethod
    def env(self) -> Mapping[str, str]: ...

    @abstractmethod
    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """`python -m ARGUMENTS` in the environment of an operator of this system."""

    def as_user(self, username: str, password: str = PASSWORD) -> httpx.Client:
        """A client signed in as somebody."""
        url = self.env["API_URL"]
        answer = httpx.post(
            f"{url}/api/login/", json={"username": username, "password": password}, timeout=20
        )
        assert answer.status_code == 200, answer.text
        headers = {"Authorization": f"Bearer {answer.json()['access']}"}
        return httpx.Client(base_url=url, headers=headers, timeout=20)

    def new_user(self, role: str | None = None, locale: str = "en") -> tuple[str, httpx.Client]:
        """(address, client) of a new person."""
        root, name = self.as_user("root"), f"u{uuid.uuid4().hex[:12]}"
        address = f"{name}@dicoevent.example"
        user = {
            "username": name,
            "password": PASSWORD,
            "email": address,
            "first_name": name,
            "locale": locale,
        }
        user_id = must(root.post("/api/users/", json=user), 201)["id"]
        if role:
            groups = {g["name"]: g["id"] for g in must(root.get("/api/groups/?page_size=100"), 200)["groups"]}
            group = groups.get(role) or must(root.post("/api/groups/", json={"name": role}), 201)["id"]
            must(root.post("/api/assign-roles/", json={"user_id": user_id, "group_id": group}), 201)
        return address, self.as_user(name)

    def mails(self, *addresses: str) -> list[dict[str, Any]]:
        """The reminders that came for these addresses, newest first: their subjects say so."""
        return [mail for mail in self.all_mails(*addresses) if is_reminder(mail)]

    def all_mails(self, *addresses: str) -> list[dict[str, Any]]:
        """Every mail that came for these addresses, newest first."""
        found, start = [], 0
        while True:
            url = f"{self.env['INBOX_URL']}/api/v1/messages?start={start}&limit=1000"
            page = httpx.get(url, timeout=20).json()
            found += [mail for mail in page["messages"] if mail["To"][0]["Address"] in addresses]
            start += 1000
            if start >= page["total"]:
                return found

    def text(self, mail: dict[str, Any]) -> str:
        """The plain text of a mail."""
        return httpx.get(f"{self.env['INBOX_URL']}/api/v1/message/{mail['ID']}", timeout=20).json()["Text"]


def is_reminder(mail: dict[str, Any]) -> bool:
    """A confirmation that stands for a reminder is one too."""
    return any(word in mail["Subject"] for word in ("Reminder", "Pengingat"))


def must(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The body of an answer with this status."""
    assert answer.status_code == status, f"{answer.request.method} {answer.url}: {answer.text}"
    return answer.json() if answer.content else {}


def event_body(starts_in: timedelta, quota: int = 500, **fields: Any) -> dict[str, Any]:
    """What an organizer says of a new event."""
    start = datetime.now(UTC) + starts_in
    return {
        "name": f"Jazz {uuid.uuid4().hex[:6]}",
        "description": "Three bands.",
        "location": "Kota Tua, Jakarta",
        "start_time": start.isoformat(timespec="seconds"),
        "end_time": (start + timedelta(hours=2)).isoformat(timespec="seconds"),
        "status": "scheduled",
        "quota": quota,
        "category": "music",
        **fields,
    }


def make_event(
    organizer: httpx.Client, starts_in: timedelta, quota: int = 500, **fields: Any
) -> dict[str, Any]:
    """An event with a ticket type for it: {..event, "ticket_id"}."""
    made = must(organizer.post("/api/events/", json=event_body(starts_in, quota, **fields)), 201)
    ticket = {"event_id": made["id"], "name": "Reguler", "price": 10, "quota": quota}
    return {**made, "ticket_id": must(organizer.post("/api/tickets/", json=ticket), 201)["id"]}


def order(client: httpx.Client, event: dict[str, Any]) -> dict[str, Any]:
    """One ticket for the caller."""
    return must(client.post("/api/registrations/", json={"ticket_id": event["ticket_id"]}), 201)
