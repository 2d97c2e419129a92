"""Answers to idempotency keys are kept for as long as they are set, and not for ever."""

from collections.abc import Callable

import sqlalchemy as sa

from services.tickets import retention
from shared.retention import Pruner, Retention

Make = Callable[[str], sa.Engine]


def run(engine: sa.Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def rows(engine: sa.Engine, query: str) -> list:
    with engine.connect() as connection:
        return list(connection.execute(sa.text(query)).scalars())


def test_old_idempotency_keys_go(make_service_engine: Make) -> None:
    engine = make_service_engine("tickets")
    run(
        engine,
        "INSERT INTO idempotency_keys (caller, path, key, request, created_at) VALUES"
        " ('u', '/p', 'old', '', now() - interval '8 days'), ('u', '/p', 'young', '', now())",
    )
    assert Pruner(engine, retention.rules(Retention())).prune()["idempotency_keys"] == 1
    assert rows(engine, "SELECT key FROM idempotency_keys") == ["young"]
