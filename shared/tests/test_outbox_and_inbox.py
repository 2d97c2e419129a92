"""From one transaction to another, over a fast line that loses things."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, tzinfo
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient
from kombu.exceptions import OperationalError
from psycopg2.errors import DeadlockDetected

from shared.http import make_api
from shared.inbox import FeedReader, Receiver
from shared.inbox import store as inbox_store
from shared.messages import Envelope, Message
from shared.messages.catalogue import UserGone
from shared.outbox import Relay, feed_router, publish, store

Make = Callable[[str], sa.Engine]


class Line:
    """A sender that remembers, or fails when it is told to."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.down = False

    def send(self, messages: Sequence[tuple[str, dict[str, Any]]]) -> None:
        if self.down:
            raise OperationalError("down")
        self.sent += [envelope for _, envelope in messages]


def say(engine: sa.Engine, *ids: str) -> None:
    messages = [Message("user.deleted", id_, 1, UserGone(id=id_)) for id_ in ids]
    with engine.begin() as connection:
        publish(connection, "/accounts", messages)


def relay(engine: sa.Engine, line: Line) -> Relay:
    return Relay(engine, engine.url.render_as_string(hide_password=False), line)


def test_a_rolled_back_transaction_publishes_nothing(make_service_engine: Make) -> None:
    engine, line = make_service_engine("accounts"), Line()
    with engine.connect() as connection:
        publish(connection, "/accounts", [Message("user.deleted", "u", 1, UserGone(id="u"))])
        connection.rollback()
    relay(engine, line).relay_once()
    assert line.sent == []


def test_positions_have_no_holes_whoever_relays(make_service_engine: Make) -> None:
    engine, line = make_service_engine("accounts"), Line()
    say(engine, *(f"u{n}" for n in range(50)))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: relay(engine, line).relay_once(), range(8)))
    relay(engine, line).relay_once()
    positions = sorted(envelope["feedposition"] for envelope in line.sent)
    assert positions == list(range(1, 51))


def test_the_time_of_a_message_is_the_databases_whatever_the_machine_says(
    make_service_engine: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = datetime.now

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return true(tz) + timedelta(minutes=5)

    monkeypatch.setattr(store, "datetime", Wrong, raising=False)
    engine, line = make_service_engine("accounts"), Line()
    with engine.begin() as connection:
        before = connection.scalar(sa.select(sa.func.clock_timestamp()))
    say(engine, "u1")
    relay(engine, line).relay_once()
    with engine.begin() as connection:
        after = connection.scalar(sa.select(sa.func.clock_timestamp()))
    assert before <= datetime.fromisoformat(line.sent[0]["time"]) <= after


def test_what_the_broker_did_not_take_is_sent_when_it_is_back(make_service_engine: Make) -> None:
    engine, line = make_service_engine("accounts"), Line()
    line.down = True
    say(engine, "u1", "u2")
    sender = relay(engine, line)
    sender.relay_once()
    assert sender.broker_error
    line.down = False
    sender.relay_once()
    assert [envelope["data"]["id"] for envelope in line.sent] == ["u1", "u2"]
    assert sender.broker_error is None


def test_an_epoch_changes_when_the_database_is_another_one(make_service_engine: Make) -> None:
    engine = make_service_engine("accounts")
    with engine.begin() as connection:
        first = store.renew_epoch(connection)
        assert store.renew_epoch(connection) == first
        connection.execute(sa.text("UPDATE outbox_feed SET identity = 'the cluster before the restore'"))
        assert store.renew_epoch(connection) != first


class Reading:
    """A consumer that writes down what it is told, and reads a publisher's feed in-process."""

    def __init__(self, publisher: sa.Engine, consumer: sa.Engine) -> None:
        self.seen: list[str] = []
        self.gaps = 0
        self.engine = consumer
        self.receiver = Receiver(consumer, {"user.deleted": self._take}, on_gap=self._gap)
        self._reader = FeedReader(consumer, {"/accounts": "http://accounts"}, "token")
        self._reader.receiver = self.receiver
        app: FastAPI = make_api("feed", {})
        app.include_router(feed_router(publisher, "token"))
        self._client = TestClient(app, headers={"X-Service-Token": "token"})

    def _take(self, connection: sa.Connection, data: UserGone, envelope: Envelope) -> None:
        self.seen.append(data.id)

    def _gap(self) -> None:
        self.gaps += 1

    def read(self) -> int:
        client: httpx.Client = self._client
        return self._reader.read_batch(client, "/accounts")


def test_the_feed_brings_what_the_queue_lost_and_nothing_twice(make_service_engine: Make) -> None:
    publisher, line = make_service_engine("accounts"), Line()
    reading = Reading(publisher, make_service_engine("events"))
    with publisher.begin() as connection:
        store.renew_epoch(connection)
    say(publisher, "u1", "u2", "u3", "u4")
    relay(publisher, line).relay_once()
    assert reading.read() == 4
    say(publisher, "u5", "u6", "u7")
    relay(publisher, line).relay_once()
    lost, *rest = line.sent[4:]
    for envelope in rest:
        reading.receiver.receive(envelope)
    assert reading.gaps == 2
    reading.read()
    assert reading.seen == ["u1", "u2", "u3", "u4", "u6", "u7", lost["data"]["id"]]
    reading.receiver.receive(line.sent[0])
    assert len(reading.seen) == 7


def test_messages_in_order_cause_no_reading(make_service_engine: Make) -> None:
    publisher, line = make_service_engine("accounts"), Line()
    reading = Reading(publisher, make_service_engine("events"))
    with publisher.begin() as connection:
        store.renew_epoch(connection)
    reading.read()
    say(publisher, "u1", "u2")
    relay(publisher, line).relay_once()
    for envelope in line.sent:
        reading.receiver.receive(envelope)
    assert (reading.seen, reading.gaps) == (["u1", "u2"], 0)


def test_after_a_restore_the_feed_is_read_anew_and_applied_once(
    make_service_engine: Make,
) -> None:
    publisher, line = make_service_engine("accounts"), Line()
    reading = Reading(publisher, make_service_engine("events"))
    with publisher.begin() as connection:
        store.renew_epoch(connection)
    say(publisher, "u1", "u2")
    relay(publisher, line).relay_once()
    reading.read()
    with publisher.begin() as connection:
        connection.execute(sa.text("UPDATE outbox_feed SET identity = 'another'"))
        store.renew_epoch(connection)
    reading.read()
    assert reading.seen == ["u1", "u2"]


def test_the_feed_is_for_services_only(make_service_engine: Make) -> None:
    app = make_api("feed", {})
    app.include_router(feed_router(make_service_engine("accounts"), "token"))
    assert TestClient(app).get("/internal/feed").status_code == 401


def ordered(make_service_engine: Make, count: int) -> tuple[Reading, Reading, list[dict[str, Any]]]:
    """Two consumers of one database, and messages of a feed of which the cursor has read the first."""
    publisher, line = make_service_engine("accounts"), Line()
    engine = make_service_engine("events")
    ours, theirs = Reading(publisher, engine), Reading(publisher, engine)
    with publisher.begin() as connection:
        store.renew_epoch(connection)
    say(publisher, "u0")
    relay(publisher, line).relay_once()
    ours.read()
    say(publisher, *(f"u{n}" for n in range(1, count + 1)))
    relay(publisher, line).relay_once()
    return ours, theirs, line.sent[1:]


def position(reading: Reading) -> int:
    with reading.engine.connect() as connection:
        return inbox_store.cursor_of(connection, "/accounts").position


def test_consumers_that_commit_out_of_order_leave_no_gap(make_service_engine: Make) -> None:
    ours, theirs, sent = ordered(make_service_engine, 8)
    theirs.receiver.receive_many(sent[2:4])
    assert (theirs.gaps, theirs.receiver.settle()) == (1, False)
    ours.receiver.receive_many(sent[:2])
    ours.receiver.receive_many(sent[4:5])
    assert not ours.receiver.settle()
    assert theirs.receiver.settle()
    assert ours.receiver.settle()
    assert position(ours) == 6
    theirs.receiver.receive_many(sent[5:])
    assert (position(ours), theirs.gaps) == (9, 1)


def test_a_message_that_is_lost_is_a_gap_until_the_feed_is_read(make_service_engine: Make) -> None:
    ours, _, sent = ordered(make_service_engine, 4)
    ours.receiver.receive_many(sent[1:])
    assert not ours.receiver.settle()
    ours.read()
    assert ours.receiver.settle()
    assert sorted(ours.seen) == ["u0", "u1", "u2", "u3", "u4"]


def test_a_message_of_another_epoch_asks_for_one_reading(make_service_engine: Make) -> None:
    ours, _, sent = ordered(make_service_engine, 2)
    ours.receiver.receive_many([{**sent[0], "id": "x", "feedepoch": "another"}])
    assert ours.gaps == 1
    assert not ours.receiver.settle()
    assert ours.receiver.settle()


def test_messages_that_deadlock_together_are_taken_one_by_one(make_service_engine: Make) -> None:
    engine, line = make_service_engine("accounts"), Line()
    say(engine, "u1", "u2")
    relay(engine, line).relay_once()
    consumer = make_service_engine("events")

    def take_all(connection: sa.Connection, messages: Sequence[tuple[Any, Envelope]]) -> None:
        if len(messages) > 1:
            raise sa.exc.OperationalError("lock", None, DeadlockDetected())

    receiver = Receiver(consumer, {"user.deleted": lambda *_: None}, take_all=take_all)
    receiver.receive_many(line.sent)
    with consumer.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM inbox")) == 2
