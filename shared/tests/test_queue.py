"""What comes by the queue: every way in has the same effect, and nothing stops the worker."""

import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import redis
import sqlalchemy as sa
from celery import Celery
from kombu import Connection

from shared.testing import example, wait_until

Start = Callable[[], tuple[subprocess.Popen, str]]


def rows(url: str, query: str) -> list[Any]:
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            return list(connection.execute(sa.text(query)))
    finally:
        engine.dispose()


def by_celery(redis_url: str, envelope: dict) -> None:
    Celery(broker=redis_url).send_task(envelope["type"], args=[envelope], queue="notifications")


def by_kombu(redis_url: str, envelope: dict) -> None:
    with Connection(redis_url) as connection:
        connection.SimpleQueue("notifications").put(envelope)


RUBBISH: dict[str, bytes] = {
    "not JSON at all": b"\xff\xfe{{{",
    "JSON that is no object": b"[1, 2, 3]",
    "an object that is no envelope": b'{"hello": "world"}',
    "a task without an id": b'{"body": "e30=", "headers": {}, "properties": {"delivery_tag": "a",'
    b' "body_encoding": "base64"}, "content-type": "application/json", "content-encoding": "utf-8"}',
    "a celery task header without an id": b'{"body": "W1tdLCB7fSwge31d", "headers": {"task": "ticket.ordered"},'
    b' "properties": {"delivery_tag": "b", "body_encoding": "base64"},'
    b' "content-type": "application/json", "content-encoding": "utf-8"}',
    "protocol 1 without an id": b'{"body": "eyJ0YXNrIjogInRpY2tldC5vcmRlcmVkIn0=", "headers": {},'
    b' "properties": {"delivery_tag": "c", "body_encoding": "base64"},'
    b' "content-type": "application/json", "content-encoding": "utf-8"}',
    "a body that is not base64": b'{"body": "!!!", "headers": {}, "properties": {"delivery_tag": "d",'
    b' "body_encoding": "base64"}, "content-type": "application/json", "content-encoding": "utf-8"}',
    "a pickle": b'{"body": "gASVAA==", "headers": {"task": "x", "id": "1"}, "properties": {"delivery_tag": "e",'
    b' "body_encoding": "base64"}, "content-type": "application/x-python-serialize",'
    b' "content-encoding": "binary"}',
    "U+0000 in a string": b'{"specversion": "1.0", "id": "z", "type": "ticket.ordered", "source": "\\u0000", "data": {}}',
    "too deep": b"[" * 100_000,
}


@pytest.mark.parametrize("send", [by_celery, by_kombu])
def test_a_message_from_any_program_takes_effect_once(start_consumer: Start, redis_url: str, send: Any) -> None:
    _, url = start_consumer()
    envelope = example("ticket.ordered")
    send(redis_url, envelope)
    send(redis_url, envelope)
    wait_until(lambda: rows(url, "SELECT 1 FROM tickets"), "the ticket is known")
    client = redis.Redis.from_url(redis_url)
    wait_until(lambda: not client.llen("notifications"), "the queue is empty")
    assert len(rows(url, "SELECT 1 FROM inbox")) == 1


def test_rubbish_becomes_dead_letters_and_stops_nothing(start_consumer: Start, redis_url: str) -> None:
    process, url = start_consumer()
    client = redis.Redis.from_url(redis_url)
    for rubbish in RUBBISH.values():
        client.lpush("notifications", rubbish)
    app = Celery(broker=redis_url)
    app.send_task("no.such.task", queue="notifications")
    app.send_task("ticket.ordered", args=[1, 2], kwargs={"x": 1}, queue="notifications")
    app.send_task("ticket.ordered", args=[{**example("ticket.ordered"), "data": {}}], queue="notifications")
    by_kombu(redis_url, {**example("ticket.ordered"), "type": "ticket.stolen"})
    by_kombu(redis_url, example("ticket.ordered"))
    wait_until(lambda: rows(url, "SELECT 1 FROM tickets"), "the good message behind them is taken")
    bad = len(RUBBISH) + 4
    wait_until(lambda: len(rows(url, "SELECT 1 FROM dead_letters")) == bad, f"{bad} dead letters")
    assert all(reason for (reason,) in rows(url, "SELECT reason FROM dead_letters"))
    assert process.poll() is None
    assert client.hlen("unacked") == 0


def test_a_run_asked_for_from_python_has_the_id_of_its_task(start_consumer: Start, redis_url: str) -> None:
    _, url = start_consumer()
    app = Celery(broker=redis_url)
    result = app.send_task("services.notifications.tasks.send_event_reminders", queue="notifications")
    wait_until(lambda: rows(url, "SELECT 1 FROM runs"), "the run is noted")
    assert rows(url, "SELECT id FROM runs") == [(result.id,)]
