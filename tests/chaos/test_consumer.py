"""Kill -9 of the consumer in the middle of a stretch."""

import json
import os
import random
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import sqlalchemy as sa
from redis import Redis

from shared.database import make_engine
from shared.testing import wait_until
from tests.bench.intake import fill, make_orders
from tests.bench.parts import process

ORDERS, KILLS = 1500, 2
WORKING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL"
    " AND application_name = 'notifications-consumer'"
)


@contextmanager
def feed(messages: list[dict[str, Any]]) -> Iterator[str]:
    """A publisher's feed over HTTP, which has all of them; yields its address."""

    class Feed(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            after, limit = int(query["after"][0]), int(query["limit"][0])
            page = {"epoch": "e", "known": True, "lowest": 1, "messages": messages[after : after + limit]}
            body = json.dumps(page).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Feed)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def test_a_consumer_killed_in_the_middle_of_a_stretch_loses_nothing_and_doubles_nothing(
    make_database: Callable[[str], str], redis_url: str, tmp_path: Path
) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")  # noqa: T201 - a random test says its seed
    dice = random.Random(seed)
    url = make_database("notifications")
    engine = make_engine(url, "trial", pool_size=2)
    messages = make_orders(ORDERS, 20)
    for position, message in enumerate(messages, 1):
        message.update(feedposition=position, feedepoch="e")

    def number(query: str) -> int:
        with engine.connect() as connection:
            return connection.scalar(sa.text(query)) or 0

    def reached(count: int) -> bool:
        return number("SELECT count(*) FROM tickets") >= count

    # The publisher's feed shows nothing until the queue was killed often enough: the feed alone is no proof.
    shown: list[dict[str, Any]] = []
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO feed_cursors VALUES ('/tickets', 'e', 0, '')"))
    with feed(shown) as tickets, feed([]) as others:
        environment = {
            "PATH": os.defpath,
            "NOTIFICATIONS_DATABASE_URL": url,
            "CELERY_BROKER_URL": redis_url,
            "SERVICE_TOKEN": "trial",
            "LINK_SECRET": "trial-trial-trial-trial-trial-trial",
            "TICKETS_URL": tickets,
            "ACCOUNTS_URL": others,
            "EVENTS_URL": others,
        }
        command = [sys.executable, "-m", "services.notifications", "consumer"]
        fill(redis_url, "notifications", "ticket.ordered", messages)
        for kill in range(KILLS):
            enough = number("SELECT count(*) FROM tickets") + dice.choice((0, 1, 1, 201))
            with process(command, environment, tmp_path / f"consumer-{kill}.log") as consumer:
                # With none, one or two stretches committed, and another one under way.
                wait_until(partial(reached, enough), "stretches are taken")
                wait_until(lambda: number(WORKING) > 0, "a stretch is under way")
                threading.Event().wait(dice.uniform(0, 0.02))
                consumer.kill()
                consumer.wait(30)
        assert number("SELECT count(*) FROM tickets") < ORDERS, "it was killed before the end"
        shown.extend(messages)
        with process(command, environment, tmp_path / "consumer.log"):
            wait_until(lambda: number("SELECT count(*) FROM tickets") >= ORDERS, "everything is taken", 60)
            cursor = "SELECT position FROM feed_cursors WHERE source = '/tickets'"
            wait_until(lambda: number(cursor) == ORDERS, "the cursor is there")
            # What is on the queue still was brought by the feed: it comes for the second time.
            queue = Redis.from_url(redis_url)
            wait_until(lambda: not queue.llen("notifications"), "the queue is empty", 60)
        taken_twice = "SELECT count(*) - count(DISTINCT subject_id) FROM deliveries"
        assert number("SELECT count(*) FROM tickets WHERE active") == ORDERS
        assert number("SELECT count(*) FROM inbox") == ORDERS
        assert number("SELECT count(*) FROM deliveries WHERE kind = 'confirmation'") == ORDERS
        assert number(taken_twice) == 0
        assert number("SELECT count(*) FROM dead_letters") == 0
    engine.dispose()
