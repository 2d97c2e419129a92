"""The clock, the wake-up, and every query on runs."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.notifications.tables import runs

CHANNEL = "deliveries"


def database_now(connection: sa.Connection, offset: timedelta) -> datetime:
    """The one clock of the system: the database's, plus the offset of a rehearsal."""
    now = connection.scalar(sa.select(sa.func.clock_timestamp()))
    assert now is not None, "clock_timestamp() always has a value"
    return now + offset


def notify(connection: sa.Connection) -> None:
    """Wakes the delivery processes when this transaction commits."""
    connection.execute(sa.text(f"NOTIFY {CHANNEL}"))


def add_run(connection: sa.Connection, run_id: str, event_id: str | None, again: bool, now: datetime) -> None:
    """Notes that a run was asked for; asking again with the same id changes nothing."""
    statement = insert(runs).values(id=run_id, event_id=event_id, again=again, asked_at=now)
    connection.execute(statement.on_conflict_do_nothing())
    notify(connection)


def claim_run(connection: sa.Connection) -> sa.Row | None:
    """A run that nobody has begun; its row stays locked until the commit."""
    return connection.execute(
        sa.select(runs)
        .where(runs.c.started_at.is_(None))
        .order_by(runs.c.asked_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).one_or_none()
