"""Every query on the outbox."""

from collections.abc import Sequence
from datetime import UTC
from typing import Any

import sqlalchemy as sa
import structlog

from shared.logging import REQUEST_ID
from shared.messages import Message, new_id
from shared.messages.envelope import envelope_document
from shared.outbox.tables import feed, outbox
from shared.tracing import traceparent

CHANNEL = "outbox"
_LOCK = 0x0D1C0


def publish(connection: sa.Connection, source: str, messages: Sequence[Message]) -> None:
    """Adds messages to the caller's own transaction and wakes the relay when that commits."""
    if not messages:
        return
    request_id = structlog.contextvars.get_contextvars().get(REQUEST_ID)
    # Not the machine's clock: what two publishers did is put into order by these times.
    now = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one().astimezone(UTC)
    rows = []
    for message in messages:
        id_ = new_id()
        caused_by = message.request_id or request_id
        document = envelope_document(source, id_, message, now, caused_by)
        if (parent := message.traceparent or traceparent()) is not None:
            document["traceparent"] = parent
        rows.append({"id": id_, "type": message.type, "subject": message.subject, "envelope": document})
    connection.execute(sa.insert(outbox), rows)
    connection.execute(sa.text(f"NOTIFY {CHANNEL}"))


def assign_positions(connection: sa.Connection, limit: int) -> int:
    """Gives committed rows their place in the feed, without holes; returns how many.

    Under an advisory lock, and a rolled back transaction gives its positions back: readers can count on
    position n + 1 following n.
    """
    if not connection.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(_LOCK))):
        return 0
    numbered = connection.execute(
        sa.text(
            "WITH fresh AS (SELECT seq, row_number() OVER (ORDER BY seq) AS n FROM ("
            "  SELECT seq FROM outbox WHERE position IS NULL ORDER BY seq LIMIT :limit) AS late)"
            " UPDATE outbox SET position = (SELECT head FROM outbox_feed) + fresh.n"
            " FROM fresh WHERE outbox.seq = fresh.seq"
        ),
        {"limit": limit},
    ).rowcount
    if numbered:
        connection.execute(sa.update(feed).values(head=feed.c.head + numbered))
    return numbered


def claim_unsent(connection: sa.Connection, limit: int) -> list[tuple[int, str, dict[str, Any]]]:
    """(position, type, envelope with its place in the feed) of rows nobody else is sending now."""
    epoch = connection.scalar(sa.select(feed.c.epoch))
    rows = connection.execute(
        sa.select(outbox.c.position, outbox.c.type, outbox.c.envelope)
        .where(outbox.c.sent_at.is_(None), outbox.c.position.is_not(None))
        .order_by(outbox.c.position)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [(p, t, {**e, "feedposition": p, "feedepoch": epoch}) for p, t, e in rows]


def mark_sent(connection: sa.Connection, positions: Sequence[int]) -> None:
    """Notes that the queues have these rows."""
    connection.execute(
        sa.update(outbox).where(outbox.c.position.in_(positions)).values(sent_at=sa.func.now())
    )


def read_feed(connection: sa.Connection, after: int, limit: int, last: str = "") -> dict[str, Any]:
    """Up to `limit` envelopes of positions above `after`, with what a reader has to know of the feed:

    `epoch`, `head`; `lowest`, the first position that is kept; `known`, false if the message at `after` is
    not `last`, so that the reader has read another history; `oldest_age_seconds` of the first envelope.
    """
    state = connection.execute(sa.select(feed.c.epoch, feed.c.head)).one()
    rows = connection.execute(
        sa.select(outbox.c.position, outbox.c.envelope, _age(outbox.c.created_at).label("age"))
        .where(outbox.c.position > after)
        .order_by(outbox.c.position)
        .limit(limit)
    ).all()
    messages = [{**e, "feedposition": p, "feedepoch": state.epoch} for p, e, _ in rows]
    return {
        "epoch": state.epoch,
        "head": state.head,
        "lowest": _lowest(connection, state.head),
        "known": _is_known(connection, after, last, state.head),
        "oldest_age_seconds": max(0.0, float(rows[0].age)) if rows else 0.0,
        "messages": messages,
    }


def _lowest(connection: sa.Connection, head: int) -> int:
    return connection.scalar(sa.select(sa.func.min(outbox.c.position))) or head + 1


def _is_known(connection: sa.Connection, after: int, last: str, head: int) -> bool:
    if after > head:
        return False
    at = connection.scalar(sa.select(outbox.c.id).where(outbox.c.position == after)) if last else None
    # What was pruned cannot be compared. The newest row never is: see the retention of the outbox.
    return at is None or at == last


def _age(time: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.func.extract("epoch", sa.func.clock_timestamp() - time)


def renew_epoch(connection: sa.Connection) -> str:
    """The feed's epoch, a new one if this database is not the one the old epoch was made in.

    A restore from a backup goes to another cluster, another database, another timeline, or makes the tables
    anew; after each of them positions that readers have seen may be given to other rows. A restore that
    leaves no such trace (a file system's snapshot, rows copied into the old tables) is seen by the readers:
    they name the last message they read, see read_feed.
    """
    identity = connection.scalar(
        sa.text(
            "SELECT concat_ws('/', (SELECT system_identifier FROM pg_control_system()),"
            " (SELECT timeline_id FROM pg_control_checkpoint()),"
            " (SELECT oid FROM pg_database WHERE datname = current_database()),"
            " 'outbox_feed'::regclass::oid)"
        )
    )
    row = connection.execute(sa.select(feed).with_for_update()).one()
    if row.identity == identity:
        return row.epoch
    epoch = new_id()
    connection.execute(sa.update(feed).values(epoch=epoch, identity=identity))
    return epoch


def oldest_unsent_seconds(connection: sa.Connection) -> float:
    """How long the oldest row waits that the queues do not have; 0 when there is none."""
    columns = (outbox.c.created_at,)
    numbered = sa.select(*columns).where(outbox.c.sent_at.is_(None)).order_by(outbox.c.position).limit(1)
    fresh = sa.select(*columns).where(outbox.c.position.is_(None)).order_by(outbox.c.seq).limit(1)
    waiting = sa.union_all(numbered.subquery().select(), fresh.subquery().select()).subquery()
    oldest = sa.select(sa.func.min(waiting.c.created_at)).scalar_subquery()
    return max(0.0, float(connection.scalar(sa.select(_age(oldest))) or 0))


def backlog(connection: sa.Connection) -> int:
    """How many rows the queues do not have yet, counted up to 10,000."""
    unsent = sa.select(outbox.c.seq).where(outbox.c.sent_at.is_(None)).limit(10_000).subquery()
    return connection.scalar(sa.select(sa.func.count()).select_from(unsent)) or 0
