"""scripts/bench intake: orders from the queue and a feed, beside a Celery task that does nothing."""

import argparse
import itertools
import json
import logging
import os
import sys
import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from redis import Redis

from services.notifications.handlers import MessageHandlers
from services.notifications.intake import Intake
from services.notifications.settings import ReminderSettings
from shared.broker import make_celery
from shared.inbox import Receiver
from shared.testing import example, wait_until
from tests.bench.parts import Parts, process, servers

FEED_PAGE = 500
LONGEST_SECONDS = 600.0


def main(arguments: Sequence[str]) -> int:
    """Prints a table; 1 when an order is missing."""
    parser = argparse.ArgumentParser(prog="scripts/bench intake", description=__doc__)
    parser.add_argument("--orders", type=int, default=5000)
    parser.add_argument("--events", type=int, nargs="+", default=[100, 1], help="orders are of so many")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    wanted = parser.parse_args(arguments)
    load = os.getloadavg()[0]
    # As in the processes, where parts.py sets LOG_LEVEL.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with servers() as parts:
        sys.stdout.write(
            f"{wanted.orders} orders of events that nobody knows yet, PostgreSQL with fsync on,"
            f" {os.cpu_count()} CPUs, load before {load:.1f}\n\n{'':42}{'per s':>8}  of no-op\n"
        )
        plain = 0.0
        for count in wanted.processes:
            rate = _noop(parts, wanted.orders, count)
            plain = plain or rate
            _say(f"no-op Celery task, {count} worker process(es)", rate, plain)
        complete = True
        for events, count in itertools.product(wanted.events, wanted.processes):
            rate, taken = _queue(parts, wanted.orders, events, count)
            complete = complete and taken == wanted.orders
            _say(f"by queue, {_events(events)}, {count} consumer(s)", rate, plain)
        for events in wanted.events:
            rate, taken = _feed(parts, wanted.orders, events)
            complete = complete and taken == wanted.orders
            _say(f"by feed, {_events(events)}, one reader", rate, plain)
    return 0 if complete else 1


def _events(count: int) -> str:
    return f"{count} events" if count > 1 else "one event"


def _say(name: str, rate: float, plain: float) -> None:
    sys.stdout.write(f"{name:42}{rate:8.0f}{rate / plain:10.2f}\n")
    sys.stdout.flush()


def make_orders(count: int, events: int, known: str = "") -> list[dict[str, Any]]:
    """Orders of new tickets by new people, of new events or of those that an earlier call named `known`."""
    run, bodies = uuid.uuid4().hex[:8], []
    starts_at = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    pattern = example("ticket.ordered")
    for n in range(count):
        body = json.loads(json.dumps(pattern))
        data = body["data"]
        body["id"], body["time"] = f"{run}-{n}", datetime.now(UTC).isoformat()
        event = f"{known or run}-e{n % events}"
        data["event"].update(id=event, version=1, starts_at=starts_at, ends_at=None)
        data["holder"].update(id=f"{run}-h{n}", version=1, email=f"h{n}@dicoevent.example")
        data["ticket"]["id"] = f"{run}-t{n}"
        bodies.append(body)
    return bodies


def fill(redis_url: str, queue: str, task: str, bodies: Sequence[dict[str, Any]]) -> None:
    """Puts messages on a queue as the relay does."""
    app = make_celery(redis_url, "bench", (queue,))
    with app.producer_or_acquire() as producer:
        for body in bodies:
            app.send_task(task, args=[body], queue=queue, exchange="", routing_key=queue, producer=producer)
    app.close()


def _drained(parts: Parts, queue: str) -> bool:
    client = Redis.from_url(parts.redis_url)
    return not client.llen(queue) and not client.hlen("unacked")


def _timed(parts: Parts, queue: str, count: int) -> float:
    """Messages a second from the first one gone to the last one acknowledged."""
    client = Redis.from_url(parts.redis_url)
    wait_until(lambda: client.llen(queue) < count, "the first message is taken", 60)
    begin = time.monotonic()
    left = client.llen(queue)
    wait_until(lambda: _drained(parts, queue), "the queue is empty", LONGEST_SECONDS)
    return left / (time.monotonic() - begin)


def _noop(parts: Parts, count: int, processes: int) -> float:
    fill(parts.redis_url, "noop", "noop", make_orders(count, 1))
    command = [sys.executable, "-m", "celery", "-A", "tests.bench.noop", "worker", "--pool", "solo"]
    command += ["-Q", "noop", "--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "WARNING"]
    with ExitStack() as stack:
        for n in range(processes):
            environment = parts.environment(PYTHONPATH=".")
            stack.enter_context(
                process([*command, "-n", f"noop{n}@%h"], environment, parts.home / f"noop-{n}.log")
            )
        return _timed(parts, "noop", count)


def _queue(parts: Parts, count: int, events: int, processes: int) -> tuple[float, float]:
    before = parts.scalar("SELECT count(*) FROM tickets")
    fill(parts.redis_url, "notifications", "ticket.ordered", make_orders(count, events))
    with ExitStack() as stack:
        for n in range(processes):
            command = [sys.executable, "-m", "services.notifications", "consumer"]
            stack.enter_context(process(command, parts.environment(), parts.home / f"consumer-{n}.log"))
        rate = _timed(parts, "notifications", count)
    return rate, parts.scalar("SELECT count(*) FROM tickets") - before


def _feed(parts: Parts, count: int, events: int) -> tuple[float, float]:
    """What the reader does with pages that are there; asking for them is left out."""
    bodies = make_orders(count, events)
    before = parts.scalar("SELECT count(*) FROM tickets")
    handlers = MessageHandlers(reminder_settings())
    receiver = Receiver(parts.engine, handlers.table(), take_all=Intake(handlers).take_all)
    begun = time.monotonic()
    for start in range(0, count, FEED_PAGE):
        page = bodies[start : start + FEED_PAGE]
        receiver.receive_batch("/tickets", "bench", page, start + len(page))
    seconds = time.monotonic() - begun
    return count / seconds, parts.scalar("SELECT count(*) FROM tickets") - before


def reminder_settings() -> ReminderSettings:
    hours, second = timedelta(hours=2), timedelta(seconds=1)
    return ReminderSettings(
        lead=hours,
        tick=second,
        lease=60 * second,
        sweep=second,
        max_attempts=5,
        resend_unknown=True,
        clock_offset=timedelta(0),
    )
