"""The whole system, started as an operator starts it, and a client that speaks through the gateway."""

import os
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from dotenv import dotenv_values

from infra.local.ports import choose
from shared.testing import wait_until

ROOT = Path(__file__).parents[2]
PASSWORD = "1234qwer!@#$"


class Installation:
    """A running system in a data folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = choose(0, set())

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """A command in this installation's environment."""
        environment = {
            "PATH": os.environ["PATH"],
            "DICOEVENT_HOME": str(self.home),
            "PORT": str(self.port),
            "SUPERUSER_USERNAME": "root",
            "SUPERUSER_PASSWORD": PASSWORD,
            "REMINDER_TICK_SECONDS": "1",
            "DELIVERY_LEASE_SECONDS": "3",
            "LOGIN_RATE_PER_MINUTE": "100000",
            **variables,
        }
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )

    def up(self) -> None:
        result = self.run("infra.local", "up", "--detach")
        assert result.returncode == 0, result.stdout + result.stderr

    def down(self) -> None:
        result = self.run("infra.local", "down")
        assert result.returncode == 0, result.stdout + result.stderr

    @property
    def env(self) -> dict[str, str]:
        return {name: value or "" for name, value in dotenv_values(self.home / "env").items()}

    def pid(self, process: str) -> int:
        return int((self.home / "run" / f"{process}.pid").read_text())

    def kill(self, process: str) -> None:
        """kill -9 of the process group of one of the processes we started; waits for its successor."""
        pid = self.pid(process)
        os.killpg(pid, signal.SIGKILL)
        wait_until(lambda: self.pid(process) != pid, f"{process} is started again")

    def as_user(self, username: str, password: str = PASSWORD) -> httpx.Client:
        """A client signed in as somebody."""
        url = f"http://127.0.0.1:{self.port}"
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
        """The mails that came for these addresses, newest first."""
        url = f"{self.env['INBOX_URL']}/api/v1/messages?start=0&limit=1000"
        found = httpx.get(url, timeout=20).json()["messages"]
        return [mail for mail in found if mail["To"][0]["Address"] in addresses]

    def text(self, mail: dict[str, Any]) -> str:
        return httpx.get(f"{self.env['INBOX_URL']}/api/v1/message/{mail['ID']}", timeout=20).json()["Text"]


def must(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The body of an answer with this status."""
    assert answer.status_code == status, f"{answer.request.method} {answer.url}: {answer.text}"
    return answer.json() if answer.content else {}


def make_event(
    organizer: httpx.Client, starts_in: timedelta, quota: int = 500, **fields: Any
) -> dict[str, Any]:
    """An event with a ticket type for it: {..event, "ticket_id"}."""
    start = datetime.now(UTC) + starts_in
    event = {
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
    made = must(organizer.post("/api/events/", json=event), 201)
    ticket = {"event_id": made["id"], "name": "Reguler", "price": 10, "quota": quota}
    return {**made, "ticket_id": must(organizer.post("/api/tickets/", json=ticket), 201)["id"]}


def order(client: httpx.Client, event: dict[str, Any]) -> dict[str, Any]:
    """One ticket for the caller."""
    return must(client.post("/api/registrations/", json={"ticket_id": event["ticket_id"]}), 201)


@pytest.fixture(scope="session")
def installation() -> Iterator[Installation]:
    with tempfile.TemporaryDirectory(prefix="dicoevent-e2e-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        system = Installation(Path(folder) / "home")
        system.up()
        yield system
        system.down()
