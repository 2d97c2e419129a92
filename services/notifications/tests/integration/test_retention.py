"""The ledger is kept for as long as it is set, and not for ever."""

from collections.abc import Callable

import sqlalchemy as sa

from services.notifications import retention
from shared.retention import Pruner, Retention

Make = Callable[[str], sa.Engine]


def run(engine: sa.Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def rows(engine: sa.Engine, query: str) -> list:
    with engine.connect() as connection:
        return list(connection.execute(sa.text(query)).scalars())


def test_the_ledger_of_an_old_event_goes_and_open_or_young_deliveries_stay(make_service_engine: Make) -> None:
    engine = make_service_engine("notifications")
    for event, days, state in (("old", 401, "accepted"), ("open", 401, "retry"), ("young", 399, "accepted")):
        start = f"now() - interval '{days} days'"
        run(
            engine,
            "INSERT INTO events (id, sequence, name, location, timezone, starts_at, status)"
            f" VALUES ('{event}', 2, '', '', 'UTC', {start}, 'scheduled')",
            "INSERT INTO event_contents (event_id, version, name, location, timezone, starts_at)"
            f" VALUES ('{event}', 1, '', '', 'UTC', {start}), ('{event}', 2, '', '', 'UTC', {start})",
            "INSERT INTO reminder_schedules (event_id, kind, lead_minutes, starts_at, due_at, state)"
            f" VALUES ('{event}', 'reminder', 120, {start}, {start}, 'done')",
            "INSERT INTO deliveries (event_id, kind, lead_minutes, starts_at, holder_id, due_at, state,"
            " next_attempt_at, useless_after, content_version, finished_at)"
            f" VALUES ('{event}', 'reminder', 120, {start}, 'h', {start}, '{state}', {start}, {start}, 1,"
            f" {start})",
            "INSERT INTO campaign_pauses VALUES"
            f" ('{event}', 'reminder', 'policy', {start}, now() - interval '{days - 310} days')",
        )
    run(
        engine,
        "UPDATE deliveries AS d SET starts_at = s.starts_at FROM reminder_schedules AS s"
        " WHERE s.event_id = d.event_id",
    )
    assert Pruner(engine, retention.rules(Retention())).prune() == {
        "inbox": 0,
        "dead_letters": 0,
        "runs": 0,
        "campaign_pauses": 2,
        "ledger": 1,
        "schedules": 1,
        "event_contents": 1,
    }
    assert sorted(rows(engine, "SELECT event_id FROM deliveries")) == ["open", "young"]
    assert sorted(rows(engine, "SELECT event_id || version FROM event_contents WHERE event_id = 'old'")) == [
        "old2"
    ]
