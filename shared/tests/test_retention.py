"""What is over goes, what is needed stays, and nobody who was away reads on as if nothing were missing."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY

from shared.http import make_api
from shared.inbox import FeedReader, Receiver
from shared.messages import Message
from shared.messages.catalogue import UserGone
from shared.outbox import feed_router, publish, store
from shared.retention import Pruner, Retention, consumer_rules, publisher_rules, read_retention
from shared.settings import SettingError

Make = Callable[[str], sa.Engine]
KEEP = Retention()


def say(engine: sa.Engine, count: int) -> None:
    with engine.begin() as connection:
        for n in range(count):
            publish(connection, "/accounts", [Message("user.deleted", f"u{n}", 1, UserGone(id=f"u{n}"))])
        store.assign_positions(connection, 1000)


def run(engine: sa.Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def rows(engine: sa.Engine, query: str) -> list:
    with engine.connect() as connection:
        return list(connection.execute(sa.text(query)).scalars())


def positions(engine: sa.Engine) -> list[int]:
    return rows(engine, "SELECT position FROM outbox WHERE position IS NOT NULL ORDER BY 1")


def test_old_rows_of_the_outbox_go_from_the_low_end(make_service_engine: Make) -> None:
    engine = make_service_engine("accounts")
    say(engine, 6)
    old = "created_at = now() - interval '31 days', sent_at = now()"
    run(engine, f"UPDATE outbox SET {old} WHERE position <= 3", "UPDATE outbox SET sent_at = now()")
    assert Pruner(engine, publisher_rules(KEEP)).prune() == {"outbox": 3}
    assert positions(engine) == [4, 5, 6]


def test_what_no_queue_has_stays_and_so_does_what_follows_it(make_service_engine: Make) -> None:
    engine = make_service_engine("accounts")
    say(engine, 5)
    run(
        engine,
        "UPDATE outbox SET created_at = now() - interval '31 days'",
        "UPDATE outbox SET sent_at = now() WHERE position <> 3",
    )
    assert Pruner(engine, publisher_rules(KEEP)).prune() == {"outbox": 2}
    assert positions(engine) == [3, 4, 5]


def test_the_newest_row_stays_however_old_it_is(make_service_engine: Make) -> None:
    engine = make_service_engine("accounts")
    say(engine, 3)
    run(engine, "UPDATE outbox SET created_at = now() - interval '900 days', sent_at = now()")
    Pruner(engine, publisher_rules(KEEP)).prune()
    assert positions(engine) == [3]


def test_more_than_a_batch_goes_in_batches(
    make_service_engine: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make_service_engine("events")
    run(
        engine,
        "INSERT INTO inbox (source, id, received_at) SELECT '/x', n::text, now() - interval '31 days'"
        " FROM generate_series(1, 25) AS n",
        "INSERT INTO inbox (source, id) VALUES ('/x', 'young')",
    )
    monkeypatch.setattr("shared.retention.pruner.BATCH", 10)
    assert Pruner(engine, consumer_rules(KEEP)).prune()["inbox"] == 25
    assert rows(engine, "SELECT id FROM inbox") == ["young"]


def test_while_one_prunes_another_does_nothing(make_service_engine: Make) -> None:
    engine = make_service_engine("events")
    run(
        engine, "INSERT INTO inbox (source, id, received_at) VALUES ('/x', 'old', now() - interval '31 days')"
    )
    with engine.begin() as other:
        other.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": 0x0D1C1})
        assert Pruner(engine, consumer_rules(KEEP)).prune()["inbox"] == 0
    assert Pruner(engine, consumer_rules(KEEP)).prune()["inbox"] == 1


def test_a_reader_that_was_away_too_long_goes_on_and_says_what_it_missed(make_service_engine: Make) -> None:
    publisher, consumer = make_service_engine("accounts"), make_service_engine("events")
    with publisher.begin() as connection:
        store.renew_epoch(connection)
    seen: list[str] = []
    reader = FeedReader(consumer, {"/accounts": "http://accounts"}, "token")
    reader.receiver = Receiver(consumer, {"user.deleted": lambda _, data, __: seen.append(data.id)})
    app = make_api("feed", {})
    app.include_router(feed_router(publisher, "token"))
    client = TestClient(app, headers={"X-Service-Token": "token"})
    say(publisher, 2)
    reader.read_batch(client, "/accounts")
    say(publisher, 5)
    run(
        publisher,
        "UPDATE outbox SET sent_at = now()",
        "UPDATE outbox SET created_at = now() - interval '31 days' WHERE position <= 5",
    )
    Pruner(publisher, publisher_rules(KEEP)).prune()
    name, labels = "dicoevent_feed_missed_messages_total", {"source": "/accounts"}
    before = REGISTRY.get_sample_value(name, labels) or 0
    reader.read_batch(client, "/accounts")
    assert (REGISTRY.get_sample_value(name, labels) or 0) - before == 3
    assert len(seen) == 2 + 2
    reader.read_batch(client, "/accounts")
    assert (REGISTRY.get_sample_value(name, labels) or 0) - before == 3


def test_a_wrong_number_of_days_is_named() -> None:
    with pytest.raises(SettingError, match="RETENTION_LEDGER_DAYS"):
        read_retention({"RETENTION_LEDGER_DAYS": "0"})
    with pytest.raises(SettingError, match="RETENTION_INBOX_DAYS"):
        read_retention({"RETENTION_INBOX_DAYS": "10"})
    assert read_retention({"RETENTION_OUTBOX_DAYS": "60"}).inbox == 60
