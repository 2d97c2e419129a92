"""What comes by the queue: every way in has the same effect, and nothing stops the worker."""

import subprocess
import uuid
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


def raw(body: str, headers: str = "{}", content_type: str = "application/json") -> bytes:
    """A queue item as kombu makes them."""
    return (
        f'{{"body": "{body}", "headers": {headers}, "content-type": "{content_type}",'
        f' "content-encoding": "utf-8", "properties":'
        f' {{"delivery_tag": "{uuid.uuid4()}", "body_encoding": "base64"}}}}'
    ).encode()


RUBBISH: dict[str, bytes] = {
    "not JSON at all": b"\xff\xfe{{{",
    "JSON that is no object": b"[1, 2, 3]",
    "an object that is no envelope": b'{"hello": "world"}',
    "an empty object as a message": raw("e30="),
    "a task header without an id": raw("W1tdLCB7fSwge31d", '{"task": "ticket.ordered"}'),
    "protocol 1 without an id": raw("eyJ0YXNrIjogInRpY2tldC5vcmRlcmVkIn0="),
    "a body that is not base64": raw("!!!"),
    "a pickle": raw("gASVAA==", '{"task": "x", "id": "1"}', "application/x-python-serialize"),
    "U+0000 in a string": b'{"specversion": "1.0", "id": "z", "type": "ticket.ordered",'
    b' "source": "\\u0000", "data": {}}',
    "too deep": b"[" * 100_000,
}


@pytest.mark.parametrize("send", [by_celery, by_kombu])
def test_a_message_from_any_program_takes_effect_once(
    start_consumer: Start, redis_url: str, send: Any
) -> None:
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
