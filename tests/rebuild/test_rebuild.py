"""A projection is rebuilt while the system runs: it says what its owners say, and nobody is mailed for it."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from services.accounts.snapshot import read_users
from services.accounts.tables import users as accounts_users
from services.events.snapshot import read_events
from services.events.tables import events as events_events
from services.notifications import bootstrap
from services.notifications.rebuild import Rebuild
from services.notifications.settings import read_mail, read_settings
from services.notifications.tests.integration.conftest import World
from services.tickets import tables as tickets
from services.tickets.snapshot import read_orders
from shared.http import make_api
from shared.http.snapshot import snapshot_router
from shared.inbox import FeedReader
from shared.messages import Message
from shared.messages.catalogue import EventData, TicketGone, TicketOrdered, UserData, UserGone
from shared.outbox import feed_router, publish, store
from shared.testing import RecordingMailServer, example

PEOPLE = [f"p{n}" for n in range(12)]


@dataclass
class Owners:
    """The databases of accounts, events and tickets, with their feeds and snapshots."""

    engines: dict[str, sa.Engine]
    starts_at: datetime

    def client(self, source: str) -> TestClient:
        name, read = {
            "/accounts": ("users", read_users),
            "/events": ("events", read_events),
            "/tickets": ("tickets", read_orders),
        }[source]
        app = make_api(source, {})
        app.include_router(feed_router(self.engines[source], "token"))
        app.include_router(snapshot_router(self.engines[source], "token", name, read))
        return TestClient(app, headers={"X-Service-Token": "token"})

    def user(self, name: str) -> None:
        row = {"id": name, "version": 1, "username": name, "email": f"{name}@dicoevent.example"}
        rest = {
            "password_hash": "",
            "first_name": name,
            "last_name": "",
            "locale": "en",
            "is_superuser": False,
        }
        rest |= {"username_key": name, "email_key": row["email"]}
        data = UserData(id=name, version=1, username=name, name=name, email=row["email"])
        self._write("/accounts", accounts_users, {**row, **rest}, Message("user.registered", name, 1, data))
        copy = {"id": name, "sequence": 1, "username": name, "name": name, "email": row["email"]}
        self._write("/tickets", tickets.users, {**copy, "locale": "en", "deleted": False}, None)

    def event(self, id_: str) -> None:
        common = {"id": id_, "name": f"Jazz {id_}", "location": "Kota Tua", "starts_at": self.starts_at}
        common |= {"ends_at": None, "timezone": "Asia/Jakarta", "status": "scheduled", "organizer_id": "p0"}
        data = EventData(**common, version=1, quota=100)
        row = {**common, "version": 1, "description": "", "quota": 100, "category": "", "published": True}
        self._write("/events", events_events, row, Message("event.scheduled", id_, 1, data))
        copy = {**common, "sequence": 1, "quota": 100, "deleted": False}
        self._write("/tickets", tickets.events, copy, None)
        kind = {"id": f"type-{id_}", "event_id": id_, "name": "Reguler", "price": 1, "quota": 100}
        self._write("/tickets", tickets.ticket_types, kind, None)

    def order(self, name: str, event: str = "e1") -> str:
        id_ = f"{event}-{name}"
        row = {"id": id_, "version": 1, "ticket_type_id": f"type-{event}", "event_id": event, "user_id": name}
        with self.engines["/tickets"].begin() as connection:
            connection.execute(sa.insert(tickets.orders).values(**row, status="registered", code=id_))
            [item] = [i for i in read_orders(connection, "", 1000) if i["id"] == id_]
            data = TicketOrdered.model_validate({**item["order"], "notify": True})
            publish(connection, "/tickets", [Message("ticket.ordered", id_, 1, data)])
        return id_

    def delete_order(self, name: str, event: str = "e1") -> None:
        gone = TicketGone(ticket_id=f"{event}-{name}", event_id=event, holder_id=name)
        with self.engines["/tickets"].begin() as connection:
            connection.execute(sa.delete(tickets.orders).where(tickets.orders.c.id == gone.ticket_id))
            publish(connection, "/tickets", [Message("ticket.cancelled", gone.ticket_id, 2, gone)])

    def delete_user(self, name: str) -> None:
        with self.engines["/accounts"].begin() as connection:
            connection.execute(sa.delete(accounts_users).where(accounts_users.c.id == name))
            publish(connection, "/accounts", [Message("user.deleted", name, 2, UserGone(id=name))])

    def _write(self, source: str, table: sa.Table, row: dict[str, Any], message: Message | None) -> None:
        with self.engines[source].begin() as connection:
            connection.execute(sa.insert(table).values(**row))
            if message is not None:
                publish(connection, source, [message])


@dataclass
class House:
    owners: Owners
    world: World

    def settings(self) -> Any:
        url = self.world.engine.url.render_as_string(hide_password=False)
        secrets = {"SERVICE_TOKEN": "token", "LINK_SECRET": "s" * 32}
        return read_settings({"NOTIFICATIONS_DATABASE_URL": url, **secrets})

    def consume(self) -> None:
        """Every feed to its end, as the consumer reads it."""
        reader = FeedReader(self.world.engine, dict.fromkeys(self.owners.engines, ""), "token")
        reader.receiver = bootstrap.make_receiver(self.world.engine, self.settings(), reader)
        for source, engine in self.owners.engines.items():
            with engine.begin() as connection:
                store.assign_positions(connection, 1000)
            client: httpx.Client = self.owners.client(source)
            while reader.read_batch(client, source):
                pass

    def rebuild(self, page_size: int = 5, patience: float = 0) -> Any:
        clients = {source: self.owners.client(source) for source in self.owners.engines}
        handlers = bootstrap.make_handlers(self.settings()).table()
        return Rebuild(self.world.engine, clients, handlers, page_size, patience).run()

    def projection(self) -> dict[str, list[tuple]]:
        queries = {
            "holders": "SELECT id, sequence, name, email, locale, deleted FROM holders ORDER BY id",
            "events": "SELECT id, sequence, name, location, starts_at, status, deleted FROM events"
            " ORDER BY id",
            "tickets": "SELECT id, event_id, holder_id, active, sequence FROM tickets ORDER BY id",
            "schedules": "SELECT event_id, kind, starts_at, state FROM reminder_schedules"
            " WHERE state <> 'superseded' ORDER BY 1, 2, 3",
        }
        with self.world.engine.connect() as connection:
            return {
                name: [tuple(row) for row in connection.execute(sa.text(q))] for name, q in queries.items()
            }

    def spoil(self, *statements: str) -> None:
        with self.world.engine.begin() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))


@pytest.fixture
def house(make_service_engine: Callable[[str], sa.Engine]) -> Iterator[House]:
    engines = {f"/{name}": make_service_engine(name) for name in ("accounts", "events", "tickets")}
    for engine in engines.values():
        with engine.begin() as connection:
            store.renew_epoch(connection)
    with RecordingMailServer() as server:
        mail = read_mail({"MAIL_HOST": "127.0.0.1", "MAIL_PORT": str(server.port)})
        owners = Owners(engines, datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1))
        house = House(owners, World(make_service_engine("notifications"), server, mail))
        for name in PEOPLE:
            owners.user(name)
        for event in ("e1", "e2"):
            owners.event(event)
        for name in PEOPLE[:8]:
            owners.order(name)
        owners.delete_order("p7")
        owners.delete_user("p11")
        house.consume()
        yield house


SPOILED = [
    "UPDATE holders SET email = 'wrong@dicoevent.example', name = 'Wrong' WHERE id IN ('p1', 'p2')",
    "UPDATE holders SET sequence = 900, locale = 'id' WHERE id = 'p3'",
    "UPDATE holders SET deleted = false, name = 'Back', email = 'p11@dicoevent.example', sequence = 1"
    " WHERE id = 'p11'",
    "DELETE FROM tickets WHERE id IN ('e1-p4', 'e1-p5')",
    "UPDATE tickets SET active = true WHERE id = 'e1-p7'",
    "UPDATE tickets SET active = false, sequence = 77 WHERE id = 'e1-p6'",
    "UPDATE events SET name = 'Nothing', starts_at = starts_at + interval '3 days' WHERE id = 'e1'",
    "DELETE FROM events WHERE id = 'e2'",
    "UPDATE event_contents SET name = 'Nothing' WHERE event_id = 'e1'",
]


def test_a_spoiled_projection_says_what_its_owners_say_again(house: House) -> None:
    good = house.projection()
    house.spoil(*SPOILED)
    assert house.projection() != good
    report = house.rebuild()
    assert house.projection() == good
    assert report.mended == {"users": 4, "events": 2, "tickets": 4}
    assert house.rebuild().mended == {"users": 0, "events": 0, "tickets": 0}


def test_nobody_is_mailed_for_a_rebuild(house: House) -> None:
    house.world.deliver()
    before = house.world.server.addresses()
    house.spoil(*SPOILED)
    house.rebuild()
    house.world.deliver()
    assert house.world.server.addresses() == before


def test_what_came_by_injection_alone_stays(house: House) -> None:
    message = example("ticket.ordered")
    message["data"]["holder"]["id"] = "stranger"
    message["data"]["event"]["id"] = "elsewhere"
    message["data"]["ticket"]["id"] = "injected"
    house.world.receive(message)
    before = house.projection()
    house.rebuild()
    assert house.projection() == before


def test_one_whose_ticket_was_missing_is_reminded_after_it(house: House) -> None:
    house.spoil("DELETE FROM deliveries", "DELETE FROM tickets WHERE id = 'e1-p4'")
    house.rebuild()
    house.world.deliver()
    assert house.world.server.addresses().count("p4@dicoevent.example") == 1


def test_orders_go_on_during_a_rebuild(house: House) -> None:
    house.spoil(*SPOILED)
    stop, ordered = threading.Event(), []

    def go_on() -> None:
        for name in PEOPLE[:10]:
            ordered.append(house.owners.order(name, "e2"))
            house.consume()
        stop.set()

    with ThreadPoolExecutor(1) as pool:
        orders = pool.submit(go_on)
        while not stop.is_set():
            house.rebuild(page_size=3)
            if orders.done():
                break
        orders.result(60)
    house.rebuild(patience=5)
    tickets_here = {row[0]: row for row in house.projection()["tickets"]}
    assert {id_ for id_ in ordered if tickets_here[id_][3]} == set(ordered)
    assert not tickets_here["e1-p7"][3]
    house.world.deliver()
    counts = house.world.server.addresses()
    assert len(counts) == 7 + 10
    assert house.rebuild().mended == {"users": 0, "events": 0, "tickets": 0}


def test_a_message_on_its_way_is_left_to_the_consumer(house: House) -> None:
    house.owners.order("p9", "e2")
    with house.world.engine.connect() as connection:
        before = connection.scalar(sa.text("SELECT count(*) FROM tickets"))
    done = threading.Event()

    def consume_late() -> None:
        house.consume()
        done.set()

    with house.owners.engines["/tickets"].begin() as connection:
        store.assign_positions(connection, 10)
    timer = threading.Timer(0.3, consume_late)
    timer.start()
    report = house.rebuild(patience=30)
    done.wait(30)
    assert report.mended["tickets"] == 0
    with house.world.engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM tickets")) == before + 1
