"""A consumer that is alive and hears nothing ends itself; any other one is left alone."""

import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from celery import Celery

from shared.broker.watchdog import EXIT_CODE, Deafness
from shared.testing import example, wait_until

ROOT = Path(__file__).parents[2]

# A worker whose channel no longer asks Redis for messages is what the fault looks like from outside.
_CONSUMER = """
import sys
from pathlib import Path
from shared.broker import make_celery, run_worker, wire_receiver
from shared.broker.transport import TolerantChannel

class Receiver:
    def receive_many(self, bodies): Path(sys.argv[2]).touch()
    def bury(self, body, reason): raise AssertionError(reason)

def listen(channel, timeout=None):
    if not Path(sys.argv[3]).exists():
        ask(channel, timeout)

ask, TolerantChannel._brpop_start = TolerantChannel._brpop_start, listen
app = make_celery(sys.argv[1], "test", ("notifications",))
wire_receiver(app, Receiver(), ["ticket.ordered"])
run_worker(app, "test", ("notifications",), None, patience=1.0)
"""


@pytest.fixture
def consumer(redis_url: str, tmp_path: Path) -> Iterator[subprocess.Popen]:
    command = [sys.executable, "-c", _CONSUMER, redis_url, str(tmp_path / "took"), str(tmp_path / "deaf")]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    yield process
    process.kill()
    process.wait(10)


def send(redis_url: str) -> None:
    message = {**example("ticket.ordered"), "id": str(uuid.uuid4())}
    Celery(broker=redis_url).send_task("ticket.ordered", args=[message], queue="notifications")


def test_a_deaf_consumer_ends_with_a_line_in_its_log_and_leaves_the_message_where_it_is(
    consumer: subprocess.Popen, redis_url: str, tmp_path: Path
) -> None:
    send(redis_url)
    wait_until((tmp_path / "took").exists, "it takes messages")
    (tmp_path / "deaf").touch()
    client = redis.Redis.from_url(redis_url)

    def unheard() -> bool:
        # What it had asked for before it went deaf, it still gets.
        send(redis_url)
        return bool(client.llen("notifications"))

    wait_until(unheard, "a message waits", every=0.2)
    assert consumer.wait(30) == EXIT_CODE
    assert "consumer.deaf" in (tmp_path / "log").read_text()
    assert client.llen("notifications") > 0


Look = Callable[..., float]


@pytest.fixture
def age() -> Look:
    deafness = Deafness()
    return lambda oldest, taken, now: deafness.age("q", oldest, taken, now)


def test_the_age_counts_from_when_a_message_became_the_oldest(age: Look) -> None:
    assert age(b"a", 0, 10.0) == 0
    assert age(b"a", 0, 75.0) == 65
    assert age(b"b", 0, 80.0) == 0


def test_an_empty_queue_has_no_age(age: Look) -> None:
    age(b"a", 0, 0.0)
    assert age(None, 0, 99.0) == 0
    assert age(b"a", 0, 100.0) == 0


def test_one_that_takes_a_message_and_gives_it_back_is_not_deaf(age: Look) -> None:
    age(b"a", 0, 0.0)
    assert age(b"a", 1, 99.0) == 0
