"""A notifications service on real parts: its database, a mail server, and the sending loop."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import jwt
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from fastapi.testclient import TestClient

from services.notifications import leases, planning, projections, store
from services.notifications.api import Doors, make_app
from services.notifications.delivery import DeliveryLoop
from services.notifications.handlers import MessageHandlers
from services.notifications.intake import Intake
from services.notifications.mail.compose import Composer
from services.notifications.mail.render import LinkBase
from services.notifications.model import Claim
from services.notifications.rate import RateGate
from services.notifications.settings import MailSettings, ReminderSettings, read_mail
from shared.auth import Authenticator, TokenVerifier
from shared.http import Owner, database_check
from shared.inbox import Receiver
from shared.testing import RecordingMailServer, example

REMINDERS = ReminderSettings(
    lead=timedelta(hours=2),
    tick=timedelta(seconds=15),
    lease=timedelta(seconds=60),
    sweep=timedelta(seconds=1),
    max_attempts=5,
    resend_unknown=True,
    clock_offset=timedelta(0),
    confirm_orders=False,
)


@dataclass
class World:
    """The service, its mail server, and hands to move its clock."""

    engine: sa.Engine
    server: RecordingMailServer
    mail: MailSettings
    settings: ReminderSettings = REMINDERS

    def receive(self, body: object) -> None:
        """A message comes."""
        handlers = MessageHandlers(self.settings)
        Receiver(self.engine, handlers.table()).receive(body)

    def receive_together(self, bodies: list[dict]) -> None:
        """Messages come in one stretch."""
        handlers = MessageHandlers(self.settings)
        Receiver(self.engine, handlers.table(), take_all=Intake(handlers).take_all).receive_many(bodies)

    def order(self, event: str = "e1", holder: str = "h1", ticket: str = "", **event_data: Any) -> dict:
        """Somebody orders a ticket; the event starts in two hours unless `starts_in` says otherwise."""
        starts_in = event_data.pop("starts_in", timedelta(hours=2))
        message = example("ticket.ordered")
        data = message["data"]
        starts_at = datetime.now(UTC) + self.settings.clock_offset + starts_in
        facts = {"id": event, "version": 1, "starts_at": starts_at.isoformat(), "ends_at": None, **event_data}
        data["event"].update(facts)
        data["holder"].update(id=holder, email=f"{holder}@dicoevent.example", locale="en")
        data["ticket"]["id"] = ticket or f"{event}-{holder}"
        self.receive(message)
        return message

    def change(self, message: dict, version: int, kind: str = "event.updated", **data: Any) -> None:
        """The event of an order message is changed; `starts_in` counts from now."""
        changed = example(kind, sequence=version)
        facts = {**message["data"]["event"], "version": version, **data}
        if "starts_in" in data:
            facts["starts_at"] = (self.now() + facts.pop("starts_in")).isoformat()
        changed["data"] = {"id": facts["id"]} if kind == "event.deleted" else facts
        self.receive(changed)

    def receive_code(self, ticket: str, code: str) -> None:
        """The first holder orders another ticket for the first event."""
        message = example("ticket.ordered")
        with self.engine.connect() as connection:
            event = projections.find_event(connection, "e1")
        assert event is not None
        message["data"]["event"].update(id="e1", version=event.version, starts_at=event.starts_at.isoformat())
        message["data"]["holder"].update(id="h1", email="h1@dicoevent.example", locale="en")
        message["data"]["ticket"].update(id=ticket, code=code)
        self.receive(message)

    def plan(self) -> None:
        """What is due is expanded, nothing is sent."""
        planning.plan_due(self.engine, self.settings)

    def claim(self, limit: int = 100) -> list[Claim]:
        """A worker takes what is due."""
        with self.engine.begin() as connection:
            now = store.database_now(connection, self.settings.clock_offset)
            return leases.claim(connection, now, self.settings.lease, limit).claims

    def give_back(self, event: str, holder: str, ticket: str) -> None:
        """A ticket is cancelled."""
        gone = example("ticket.cancelled", sequence=2)
        gone["data"] = {"ticket_id": ticket, "event_id": event, "holder_id": holder}
        self.receive(gone)

    def now(self) -> datetime:
        """The service's time."""
        with self.engine.connect() as connection:
            return store.database_now(connection, self.settings.clock_offset)

    def later(self, by: timedelta) -> None:
        """Time passes."""
        self.settings = replace(self.settings, clock_offset=self.settings.clock_offset + by)

    def loop(self, **mail: Any) -> DeliveryLoop:
        """A sending loop of its own, as another process would have it; `mail` changes its mail settings."""
        gate = RateGate(None, 0, "test")
        return DeliveryLoop(self.engine, self.settings, replace(self.mail, **mail), gate)

    def deliver(self) -> int:
        """One turn of a sending loop; how many deliveries it dealt with."""
        return self.loop().work_once()

    def reminders(self) -> list[EmailMessage]:
        """The reminders that came: their subjects say so."""
        return [mail for mail in self.server.mails if is_reminder(mail)]

    def subjects(self, holder: str | None = None) -> list[str]:
        """The subjects of the mails that came, in order; for one holder or all."""
        return [
            str(mail["Subject"])
            for mail in self.server.mails
            if holder is None or mail["To"].addresses[0].addr_spec == f"{holder}@dicoevent.example"
        ]

    def story(self, holder: str = "h1") -> list[tuple[str, int, str, str]]:
        """(kind, lead time, state, reason) of each delivery of a holder, oldest first."""
        query = "SELECT kind, lead_minutes, state, reason FROM deliveries WHERE holder_id = :h ORDER BY id"
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(query), {"h": holder})]

    @property
    def composer(self) -> Composer:
        """What makes the mails."""
        return Composer(self.mail.sender, LinkBase(self.mail.public_url, self.mail.link_secret))

    def states(self) -> dict[str, str]:
        """holder -> state, for all deliveries."""
        with self.engine.connect() as connection:
            rows = connection.execute(sa.text("SELECT holder_id, state FROM deliveries"))
            return {row.holder_id: row.state for row in rows}


def is_reminder(mail: EmailMessage) -> bool:
    return any(word in str(mail["Subject"]) for word in ("Reminder", "Pengingat"))


@pytest.fixture
def world(make_service_engine: Callable[[str], sa.Engine]) -> Iterator[World]:
    with RecordingMailServer() as server:
        mail = read_mail(
            {"MAIL_HOST": "127.0.0.1", "MAIL_PORT": str(server.port), "LINK_SECRET": "link secret"}
        )
        yield World(make_service_engine("notifications"), server, mail)


KEY = Ed25519PrivateKey.generate()


class OneKey:
    """The key source of the tests: one key, `test`."""

    def find(self, key_id: str) -> Any | None:
        return KEY.public_key() if key_id == "test" else None


def sign_in(user_id: str, *roles: str) -> dict[str, str]:
    """The headers of a caller with these roles."""
    now = int(time.time())
    claims = {
        "iss": "dicoevent", "sub": user_id, "username": user_id, "roles": list(roles),
        "kind": "access", "iat": now, "exp": now + 600,
    }  # fmt: skip
    return {"Authorization": f"Bearer {jwt.encode(claims, KEY, 'EdDSA', headers={'kid': 'test'})}"}


class Events(Owner):
    """The events service, which knows nothing that no message told of."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1", "token")

    def find(self, path: str) -> dict[str, Any] | None:
        return None


@dataclass
class Desk:
    """The service's API, and its world."""

    world: World
    app: FastAPI
    client: TestClient
    admin: dict[str, str]
    organizer: dict[str, str]
    rival: dict[str, str]
    user: dict[str, str]

    def get(self, path: str, who: dict[str, str] | None = None, status: int = 200, **query: Any) -> dict:
        answer = self.client.get(path, params=query, headers=who or self.admin)
        assert answer.status_code == status, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None, who: dict[str, str] | None = None, status: int = 202) -> dict:
        answer = self.client.post(path, json=body, headers=who or self.admin)
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest.fixture
def desk(world: World) -> Iterator[Desk]:
    events = Events()
    receiver = Receiver(world.engine, MessageHandlers(world.settings).table())
    authenticator = Authenticator(TokenVerifier(OneKey()))
    doors = Doors(world.engine, receiver, authenticator, events, world.settings, world.mail)
    app = make_app(doors, {"database": database_check(world.engine)}, {})
    people = (sign_in("admin-1", "admin"), sign_in("boss", "organizer"), sign_in("rival", "organizer"))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Desk(world, app, client, *people, sign_in("h1"))
    events.close()
