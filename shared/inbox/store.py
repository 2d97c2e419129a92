"""Every query on the inbox, the feed cursors and the dead letters."""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shared.inbox.ahead import Run, reach
from shared.inbox.tables import cursors, dead_letters, inbox
from shared.messages import new_id

_BODY_LIMIT = 256 * 1024
_STEPS = 3


class Cursor(NamedTuple):
    """Up to where a feed was taken in: message `last_id` at `position` of `epoch`; ("", 0, "") at first."""

    epoch: str
    position: int
    last_id: str


def note(connection: sa.Connection, source: str, id_: str) -> bool:
    """Notes a message id; False if it was there."""
    statement = insert(inbox).values(source=source, id=id_).on_conflict_do_nothing()
    return connection.execute(statement).rowcount == 1


def note_all(connection: sa.Connection, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Notes many (source, id) at once; returns those that were not there."""
    rows = connection.execute(
        sa.text(
            "INSERT INTO inbox (source, id)"
            " SELECT * FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[])) AS new(source, id)"
            " ORDER BY source, id ON CONFLICT DO NOTHING RETURNING source, id"
        ),
        {"sources": [source for source, _ in keys], "ids": [id_ for _, id_ in keys]},
    )
    return {(row.source, row.id) for row in rows}


def cursor_of(connection: sa.Connection, source: str) -> Cursor:
    """Up to where a publisher's feed was taken in."""
    columns = (cursors.c.epoch, cursors.c.position, cursors.c.last_id)
    row = connection.execute(sa.select(*columns).where(cursors.c.source == source)).one_or_none()
    return Cursor(*row) if row else Cursor("", 0, "")


def move_cursor(connection: sa.Connection, source: str, epoch: str, position: int, last_id: str) -> None:
    """Sets the cursor; within one epoch it never goes back."""
    values = {"epoch": epoch, "position": position, "last_id": last_id}
    statement = insert(cursors).values(source=source, **values)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[cursors.c.source],
            set_=values,
            where=(cursors.c.epoch != epoch) | (cursors.c.position < position),
        )
    )


def restart_cursor(connection: sa.Connection, source: str, epoch: str) -> None:
    """Puts the cursor before the first message: the feed is another one than it was."""
    restarted = sa.update(cursors).where(cursors.c.source == source)
    connection.execute(restarted.values(epoch=epoch, position=0, last_id=""))


def advance_cursor(connection: sa.Connection, source: str, epoch: str, runs: Sequence[Run]) -> int | None:
    """Moves the cursor as far as these positions go on from it; returns where it is.

    None when the feed that is read is of another epoch.
    """
    known = cursor_of(connection, source)
    for _ in range(_STEPS):
        if known.epoch != epoch:
            return None
        run = reach(known.position, runs)
        if run is None:
            break
        here = (cursors.c.source == source, cursors.c.epoch == epoch, cursors.c.position == known.position)
        step = sa.update(cursors).where(*here).values(position=run.last, last_id=run.last_id)
        if connection.execute(step).rowcount:
            return run.last
        known = cursor_of(connection, source)  # another consumer moved it meanwhile
    return known.position


def bury(connection: sa.Connection, body: str, reason: str) -> None:
    """Keeps a message that cannot be taken, with its reason."""
    digest = hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()
    # U+0000 and lone surrogates cannot be stored as text; they are shown as escapes.
    kept = body[:_BODY_LIMIT].replace("\x00", "\\u0000").encode("utf-8", "backslashreplace").decode()
    why = reason[:2000].replace("\x00", "\\u0000").encode("utf-8", "backslashreplace").decode()
    statement = insert(dead_letters).values(id=new_id(), digest=digest, reason=why, body=kept)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[dead_letters.c.digest],
            set_={"seen": dead_letters.c.seen + 1, "reason": why, "replayed_at": None},
        )
    )


def count_dead_letters(connection: sa.Connection) -> int:
    """How many dead letters wait, counted up to 10,000."""
    waiting = sa.select(dead_letters.c.id).where(dead_letters.c.replayed_at.is_(None)).limit(10_000)
    return connection.scalar(sa.select(sa.func.count()).select_from(waiting.subquery())) or 0


def list_dead_letters(connection: sa.Connection, page: int, page_size: int) -> tuple[list[Any], int]:
    """(one page of waiting dead letters, newest first; how many wait)."""
    waiting = dead_letters.c.replayed_at.is_(None)
    total = connection.scalar(sa.select(sa.func.count()).select_from(dead_letters).where(waiting)) or 0
    rows = connection.execute(
        sa.select(dead_letters)
        .where(waiting)
        .order_by(dead_letters.c.received_at.desc(), dead_letters.c.id)
        .limit(page_size)
        .offset((page - 1) * page_size)
    )
    return list(rows), total


def take_dead_letter(connection: sa.Connection, id_: str) -> str | None:
    """The body of a waiting dead letter, which from now on counts as replayed; None if there is none."""
    return connection.scalar(
        sa.update(dead_letters)
        .where(dead_letters.c.id == id_, dead_letters.c.replayed_at.is_(None))
        .values(replayed_at=sa.func.now())
        .returning(dead_letters.c.body)
    )
