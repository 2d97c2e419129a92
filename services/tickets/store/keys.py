"""Queries on idempotency keys. Answers hold ids and no person's data."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.tickets.tables import idempotency_keys


def begin_key(connection: sa.Connection, caller: str, path: str, key: str, request: str) -> sa.Row | None:
    """Notes a key; None if it is new, else its row. Waits for another request with the same key."""
    statement = insert(idempotency_keys).values(caller=caller, path=path, key=key, request=request)
    if connection.execute(statement.on_conflict_do_nothing()).rowcount:
        return None
    keys = idempotency_keys.c
    return connection.execute(
        sa.select(keys.request, keys.answer).where(keys.caller == caller, keys.path == path, keys.key == key)
    ).one()


def finish_key(connection: sa.Connection, caller: str, path: str, key: str, answer: dict[str, Any]) -> None:
    """Notes the answer that a key was given."""
    keys = idempotency_keys.c
    connection.execute(
        sa.update(idempotency_keys)
        .where(keys.caller == caller, keys.path == path, keys.key == key)
        .values(answer=answer)
    )


def prune_keys(connection: sa.Connection, older_than: timedelta, limit: int) -> int:
    """Forgets up to `limit` keys of that age by the database's clock; returns how many."""
    old = (
        sa.select(idempotency_keys.c.caller, idempotency_keys.c.path, idempotency_keys.c.key)
        .where(idempotency_keys.c.created_at < sa.func.clock_timestamp() - older_than)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    keys = idempotency_keys.c
    return connection.execute(
        sa.delete(idempotency_keys).where(sa.tuple_(keys.caller, keys.path, keys.key).in_(old))
    ).rowcount
