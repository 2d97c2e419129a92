"""The whole process but for its port."""

import time
from collections.abc import Callable

from fastapi.testclient import TestClient
from sqlalchemy import func, select

from services.events.bootstrap import build_app
from services.events.settings import read_settings
from shared.database import make_engine
from shared.messages import Message
from shared.messages.catalogue import EventGone
from shared.outbox import publish
from shared.outbox.tables import outbox


def test_without_redis_it_starts_degraded_and_its_feed_works(make_database: Callable[[str], str]) -> None:
    url = make_database("events")
    env = {"EVENTS_DATABASE_URL": url, "SERVICE_TOKEN": "t", "CELERY_BROKER_URL": "redis://127.0.0.1:1/0"}
    engine = make_engine(url, "test")
    with TestClient(build_app(read_settings(env), engine)) as client:
        health = client.get("/health")
        assert (health.status_code, health.json()["status"]) == (200, "degraded")
        with engine.begin() as connection:
            publish(connection, "/events", [Message("event.deleted", "e1", 1, EventGone(id="e1"))])
        deadline = time.monotonic() + 15
        while not client.get("/internal/feed", headers={"X-Service-Token": "t"}).json()["messages"]:
            assert time.monotonic() < deadline, "the relay gave no position"
        with engine.connect() as connection:
            assert connection.scalar(select(func.count(outbox.c.sent_at))) == 0
    engine.dispose()
