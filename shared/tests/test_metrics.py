"""Numbers: right, cheap, bounded, and never in the way of the work."""

import threading
from collections.abc import Callable, Iterable

import httpx
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from sqlalchemy.exc import OperationalError

from shared.http import make_api
from shared.inbox import Receiver
from shared.inbox.metrics import dead_letter_metrics, feed_metrics
from shared.messages import Message
from shared.messages.catalogue import UserGone
from shared.metrics.scrape import Sources, gauge
from shared.metrics.server import serve_metrics
from shared.outbox import feed_router, publish, store
from shared.outbox.metrics import outbox_metrics

Make = Callable[[str], sa.Engine]


def values(families: Iterable[Metric]) -> dict[str, float]:
    """metric{label values} -> value"""
    return {
        " ".join((sample.name, *sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_a_source_that_hangs_costs_its_own_numbers_and_not_the_scrape() -> None:
    ended = threading.Event()

    def hang() -> Iterable[Metric]:
        ended.wait(30)
        return []

    registry, sources = CollectorRegistry(), Sources(deadline=0.05)
    sources.expose("slow", hang, registry)
    sources.expose("quick", lambda: [gauge("quick", "Quick.", 7)], registry)
    page = generate_latest(registry).decode()
    ended.set()
    assert "quick 7.0" in page
    assert 'dicoevent_scrape_source_up{part="slow"} 0.0' in page
    assert 'dicoevent_scrape_source_up{part="quick"} 1.0' in page


def test_a_source_that_hangs_is_read_by_one_thread_only() -> None:
    ended, begun = threading.Event(), []

    def hang() -> Iterable[Metric]:
        begun.append(1)
        ended.wait(30)
        return []

    sources = Sources(deadline=0.01, fresh=0)
    sources.expose("slow", hang, CollectorRegistry())
    for _ in range(5):
        list(sources.collect())
    ended.set()
    assert len(begun) == 1


def test_a_database_that_is_away_leaves_its_numbers_out() -> None:
    def away() -> Iterable[Metric]:
        raise OperationalError("SELECT 1", {}, Exception("down"))

    sources = Sources()
    sources.expose("database", away, CollectorRegistry())
    assert values(sources.collect()) == {"dicoevent_scrape_source_up database": 0.0}


def test_several_scrapers_within_seconds_cost_one_reading() -> None:
    read: list[int] = []

    def once() -> Iterable[Metric]:
        read.append(1)
        return [gauge("x", "X.", len(read))]

    sources = Sources(deadline=5, fresh=60)
    sources.expose("x", once, CollectorRegistry())
    assert [values(sources.collect())["x"] for _ in range(3)] == [1, 1, 1]


def test_requests_are_counted_by_route_and_never_by_path() -> None:
    app = make_api("probe", {})

    @app.get("/things/{thing_id}")
    def get_thing(thing_id: str) -> str:
        return thing_id

    client = TestClient(app)
    labels = {"method": "GET", "route": "/things/{thing_id}", "status": "200"}
    before = count("dicoevent_http_requests_total", **labels)
    for n in range(3):
        client.get(f"/things/{n}")
    client.get("/no/such/path")
    client.request("BREW", "/things/1")
    page = client.get("/metrics").text
    assert count("dicoevent_http_requests_total", **labels) == before + 3
    assert 'route="unrouted",status="404"' in page
    assert "/no/such/path" not in page
    assert "BREW" not in page


def test_a_request_that_fails_is_counted_as_500() -> None:
    app = make_api("probe", {})

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("broken")

    labels = {"method": "GET", "route": "/broken", "status": "500"}
    before = count("dicoevent_http_requests_total", **labels)
    assert TestClient(app, raise_server_exceptions=False).get("/broken").status_code == 500
    assert count("dicoevent_http_requests_total", **labels) == before + 1


def say(engine: sa.Engine, *ids: str) -> None:
    with engine.begin() as connection:
        publish(connection, "/accounts", [Message("user.deleted", id_, 1, UserGone(id=id_)) for id_ in ids])


def test_the_outbox_tells_what_waits_and_how_long(make_service_engine: Make) -> None:
    engine = make_service_engine("accounts")
    assert values(outbox_metrics(engine)()) == {
        "dicoevent_outbox_unsent_messages": 0.0,
        "dicoevent_outbox_oldest_unsent_age_seconds": 0.0,
        "dicoevent_feed_head_position": 0.0,
    }
    say(engine, "u1", "u2")
    with engine.begin() as connection:
        store.assign_positions(connection, 1)
        connection.execute(
            sa.text("UPDATE outbox SET created_at = now() - interval '90 s' WHERE position = 1")
        )
    told = values(outbox_metrics(engine)())
    assert told["dicoevent_outbox_unsent_messages"] == 2
    assert 90 <= told["dicoevent_outbox_oldest_unsent_age_seconds"] < 120
    assert told["dicoevent_feed_head_position"] == 1


@pytest.fixture
def publisher(make_service_engine: Make, monkeypatch: pytest.MonkeyPatch) -> sa.Engine:
    """A publisher's database; whatever an httpx client asks is answered by its feed."""
    engine = make_service_engine("accounts")
    with engine.begin() as connection:
        store.renew_epoch(connection)
    app = make_api("feed", {})
    app.include_router(feed_router(engine, "token"))
    client = TestClient(app, headers={"X-Service-Token": "token"})
    monkeypatch.setattr(httpx, "Client", lambda **_: client)
    return engine


def test_a_consumer_tells_how_far_it_is_behind(make_service_engine: Make, publisher: sa.Engine) -> None:
    consumer = make_service_engine("events")
    read = feed_metrics(consumer, {"/accounts": "http://accounts"}, "token")
    say(publisher, "u1", "u2", "u3")
    with publisher.begin() as connection:
        store.assign_positions(connection, 10)
        connection.execute(
            sa.text("UPDATE outbox SET created_at = now() - interval '5 min' WHERE position = 2")
        )
        page = store.read_feed(connection, 0, 1)
    behind = values(read())
    assert behind["dicoevent_feed_lag_messages /accounts"] == 3
    receiver = Receiver(consumer, {"user.deleted": lambda *_: None})
    receiver.receive_batch("/accounts", page["epoch"], page["messages"], 1)
    behind = values(read())
    assert behind["dicoevent_feed_position /accounts"] == 1
    assert behind["dicoevent_feed_lag_messages /accounts"] == 2
    assert 300 <= behind["dicoevent_feed_oldest_unread_age_seconds /accounts"] < 330


def test_a_consumer_of_another_epoch_has_read_nothing(
    make_service_engine: Make, publisher: sa.Engine
) -> None:
    consumer = make_service_engine("events")
    say(publisher, "u1", "u2")
    with publisher.begin() as connection:
        store.assign_positions(connection, 10)
    Receiver(consumer, {}).receive_batch("/accounts", "an older epoch", [], 2)
    told = values(feed_metrics(consumer, {"/accounts": "http://accounts"}, "token")())
    assert told["dicoevent_feed_lag_messages /accounts"] == 2


def test_doubles_and_dead_letters_are_counted(make_service_engine: Make) -> None:
    engine = make_service_engine("events")
    receiver = Receiver(engine, {"user.deleted": lambda *_: None})
    applied = {"type": "user.deleted", "outcome": "applied"}
    double = {**applied, "outcome": "double"}
    names = ("dicoevent_inbox_messages_total", "dicoevent_dead_letters_total")
    before = count(names[0], **applied), count(names[0], **double), count(names[1])
    message = {"specversion": "1.0", "id": "m", "type": "user.deleted", "source": "/x", "data": {"id": "u"}}
    for body in (message, message, {"no": "envelope"}):
        receiver.receive(body)
    after = count(names[0], **applied), count(names[0], **double), count(names[1])
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 1, 1]
    assert values(dead_letter_metrics(engine)()) == {"dicoevent_dead_letters_waiting": 1.0}


def test_a_taken_port_costs_the_numbers_and_not_the_process() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        serve_metrics(("127.0.0.1", taken.getsockname()[1]))
