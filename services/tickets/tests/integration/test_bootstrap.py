"""The whole process but for its port, and the database it stands on."""

from collections.abc import Callable

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from services.tickets.bootstrap import build_app
from services.tickets.settings import read_settings
from services.tickets.tables import metadata
from shared.database import make_engine
from shared.messages import Message
from shared.messages.catalogue import TicketGone
from shared.outbox import publish
from shared.testing import wait_until

SHARED = {"outbox", "outbox_feed", "inbox", "feed_cursors", "dead_letters", "alembic_version"}


def test_without_redis_it_starts_degraded_and_its_feed_works(make_database: Callable[[str], str]) -> None:
    url = make_database("tickets")
    env = {"TICKETS_DATABASE_URL": url, "SERVICE_TOKEN": "t", "CELERY_BROKER_URL": "redis://127.0.0.1:1/0"}
    engine = make_engine(url, "test")
    gone = TicketGone(ticket_id="t1", event_id="e1", holder_id="u1")
    with TestClient(build_app(read_settings(env), engine)) as client:
        health = client.get("/health")
        assert (health.status_code, health.json()["status"]) == (200, "degraded")
        with engine.begin() as connection:
            publish(connection, "/tickets", [Message("ticket.cancelled", "t1", 2, gone)])
        token = {"X-Service-Token": "t"}
        wait_until(
            lambda: client.get("/internal/feed", headers=token).json()["messages"],
            "the relay gives the row its position",
        )
    engine.dispose()


def test_the_migrations_make_the_tables_that_the_code_uses(
    make_service_engine: Callable[[str], Engine],
) -> None:
    with make_service_engine("tickets").connect() as connection:
        options = {"include_name": lambda name, kind, _: kind != "table" or name not in SHARED}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []


def test_the_interface_description_tells_the_answers_of_both_parts(
    make_service_engine: Callable[[str], Engine],
) -> None:
    env = {"TICKETS_DATABASE_URL": "postgresql://u@db/t", "SERVICE_TOKEN": "t"}
    paths = build_app(read_settings(env), make_service_engine("tickets")).openapi()["paths"]
    assert set(paths["/api/registrations/{order_id}"]) == {"get", "put", "patch", "delete"}
    assert paths["/api/tickets"]["post"]["tags"] == ["tickets"]
    assert "/internal/feed" not in paths
