"""The whole process but for its port."""

import time
from collections.abc import Callable
from pathlib import Path

from fastapi.testclient import TestClient
from sqlalchemy import func, select

from services.events.bootstrap import build_app
from services.events.poster_store import Poster, add_upload, drop_of_event
from services.events.settings import read_settings
from shared.database import make_engine
from shared.messages import Message
from shared.messages.catalogue import EventGone
from shared.outbox import publish
from shared.outbox.tables import outbox
from shared.testing import wait_until


def environment(url: str, folder: Path, **more: str) -> dict[str, str]:
    posters = str(folder / "posters")
    return {"EVENTS_DATABASE_URL": url, "SERVICE_TOKEN": "t", "POSTER_DIR": posters, **more}


def test_without_redis_it_starts_degraded_and_its_feed_works(
    make_database: Callable[[str], str], tmp_path: Path
) -> None:
    url = make_database("events")
    env = environment(url, tmp_path, CELERY_BROKER_URL="redis://127.0.0.1:1/0")
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


def test_with_s3_away_it_starts_degraded_and_sweeps_nothing_away(
    make_database: Callable[[str], str], redis_url: str, tmp_path: Path
) -> None:
    url = make_database("events")
    s3 = {"S3_ENDPOINT_URL": "http://127.0.0.1:1", "S3_ACCESS_KEY": "a", "S3_SECRET_KEY": "b"}
    env = environment(url, tmp_path, CELERY_BROKER_URL=redis_url, **s3)
    engine = make_engine(url, "test")
    with TestClient(build_app(read_settings(env), engine)) as client:
        health = client.get("/health").json()
        assert health["status"] == "degraded"
        assert {name for name, check in health["checks"].items() if check["status"] != "ok"} == {"posters"}
    engine.dispose()


def test_the_posters_of_a_deleted_event_are_swept_by_the_running_service(
    make_database: Callable[[str], str], redis_url: str, tmp_path: Path
) -> None:
    url = make_database("events")
    engine = make_engine(url, "test")
    poster = Poster("p1", "e1", f"{'a' * 32}.png", "image/png")
    with engine.begin() as connection:
        add_upload(connection, poster)
        drop_of_event(connection, "e1")
    (tmp_path / "posters").mkdir()
    file = tmp_path / "posters" / poster.name
    file.write_bytes(b"x")
    env = environment(url, tmp_path, CELERY_BROKER_URL=redis_url)
    with TestClient(build_app(read_settings(env), engine)):
        wait_until(lambda: not file.exists(), "the file is removed")
    engine.dispose()
