"""The service under test: a fresh database, tokens of the test's own, owners that are dictionaries."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from services.tickets.consumer import HANDLERS
from shared.http import Owner, OwnerAway
from shared.inbox import Receiver
from shared.messages import new_id
from shared.outbox.tables import outbox

KEY = Ed25519PrivateKey.generate()
SERVICE_TOKEN = "between-services"
ADMIN, ORGANIZER, RIVAL, USER, OTHER = (new_id() for _ in range(5))


class OneKey:
    """A key source that knows the test's key."""

    def find(self, key_id: str) -> Any | None:
        return KEY.public_key() if key_id == "test" else None


class FakeOwner(Owner):
    """Knows the things it is given; `away` makes it unreachable, `asked` is what it was asked for."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1", SERVICE_TOKEN)
        self.things: dict[str, dict[str, Any]] = {}
        self.away = False
        self.asked: list[str] = []

    def find(self, path: str) -> dict[str, Any] | None:
        self.asked.append(path)
        if self.away:
            raise OwnerAway("down")
        return self.things.get(path)


def sign_in(user_id: str, *roles: str) -> dict[str, str]:
    """The headers of a caller with these roles."""
    now = int(time.time())
    claims = {
        "iss": "dicoevent", "sub": user_id, "username": "u", "roles": list(roles),
        "kind": "access", "iat": now, "exp": now + 60,
    }  # fmt: skip
    return {"Authorization": f"Bearer {jwt.encode(claims, KEY, 'EdDSA', headers={'kid': 'test'})}"}


def person(user_id: str, **changes: Any) -> dict[str, Any]:
    """UserData as JSON."""
    name = {"username": "rina", "name": "Rina", "email": "rina@example.com", "locale": "id"}
    return {"id": user_id, "version": 1, **name, **changes}


def envelope(message_type: str, data: dict[str, Any], sequence: int = 1) -> dict[str, Any]:
    """A message as it comes from the queue."""
    source = "/accounts" if message_type.startswith("user.") else "/events"
    return {
        "specversion": "1.0", "id": new_id(), "type": message_type, "source": source,
        "subject": data["id"], "sequence": sequence, "data": data,
    }  # fmt: skip


@dataclass
class House:
    """One service under test."""

    engine: Engine
    client: TestClient
    accounts: FakeOwner
    events: FakeOwner
    admin: dict[str, str] = field(default_factory=lambda: sign_in(ADMIN, "admin"))
    organizer: dict[str, str] = field(default_factory=lambda: sign_in(ORGANIZER, "organizer"))
    rival: dict[str, str] = field(default_factory=lambda: sign_in(RIVAL, "organizer"))
    user: dict[str, str] = field(default_factory=lambda: sign_in(USER))
    other: dict[str, str] = field(default_factory=lambda: sign_in(OTHER))

    def receive(self, message_type: str, data: dict[str, Any], sequence: int = 1) -> None:
        """Takes in one message."""
        Receiver(self.engine, HANDLERS).receive(envelope(message_type, data, sequence))

    def know_event(self, starts_in: timedelta = timedelta(days=30), **changes: Any) -> dict[str, Any]:
        """An event that the service has a copy of, as EventData in JSON."""
        data = {
            "id": new_id(), "version": 1, "name": "Jazz", "timezone": "Asia/Jakarta", "location": "Bandung",
            "starts_at": (datetime.now(UTC) + starts_in).isoformat(), "status": "scheduled", "quota": 100,
            "organizer_id": ORGANIZER, **changes,
        }  # fmt: skip
        self.receive("event.scheduled", data)
        return data

    def make_type(self, event_id: str | None = None, **changes: Any) -> dict[str, Any]:
        """A ticket type made over HTTP, of a new event if none is named."""
        event_id = event_id or self.know_event()["id"]
        body = {"event_id": event_id, "name": "Regular", "price": 150000, "quota": 10, **changes}
        answer = self.client.post("/api/tickets/", json=body, headers=self.organizer)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def order(self, kind: dict[str, Any], who: dict[str, str] | None = None, **more: Any) -> Any:
        """The answer to an order; `key` is an Idempotency-Key."""
        headers = dict(who or self.user)
        if key := more.pop("key", None):
            headers["Idempotency-Key"] = key
        body = {"ticket_id": kind["id"], **more}
        return self.client.post("/api/registrations/", json=body, headers=headers)

    def available(self, kind: dict[str, Any]) -> int:
        """How many seats of a type are free, as everybody sees it."""
        return self.client.get(f"/api/tickets/{kind['id']}/").json()["available"]

    def pay(self, order: dict[str, Any], who: dict[str, str] | None = None, **more: Any) -> Any:
        """The answer to a payment, completed and by the organizer if nothing else is said."""
        headers = dict(who or self.organizer)
        if key := more.pop("key", None):
            headers["Idempotency-Key"] = key
        body = {
            "registration_id": order["id"], "payment_method": "transfer", "payment_status": "Completed",
            "amount_paid": 150000, **more,
        }  # fmt: skip
        return self.client.post("/api/payments/", json=body, headers=headers)

    def status(self, order: dict[str, Any]) -> str:
        """An order's status as its event's organizer sees it."""
        path = f"/api/registrations/{order['id']}/"
        return self.client.get(path, headers=self.organizer).json()["status"]

    def published(self) -> list[dict[str, Any]]:
        """The envelopes in the outbox, in order."""
        with self.engine.connect() as connection:
            return list(connection.scalars(select(outbox.c.envelope).order_by(outbox.c.seq)))
