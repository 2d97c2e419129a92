"""Every query on posters."""

from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from services.events.tables import posters

UPLOADING, READY, GONE = "uploading", "ready", "gone"


@dataclass(frozen=True, slots=True)
class Poster:
    """A poster that is there; `name` is its file's."""

    id: str
    event_id: str
    name: str
    content_type: str


def add_upload(connection: sa.Connection, poster: Poster) -> None:
    """Notes a file that is going to be stored."""
    connection.execute(
        sa.insert(posters).values(
            id=poster.id,
            event_id=poster.event_id,
            name=poster.name,
            content_type=poster.content_type,
            state=UPLOADING,
        )
    )


def finish_upload(connection: sa.Connection, poster_id: str) -> bool:
    """Shows a poster from now on; False if the sweeper gave it up meanwhile."""
    return _move(connection, posters.c.id == poster_id, UPLOADING, READY) == 1


def give_up(connection: sa.Connection, poster_id: str) -> None:
    """Leaves the file of an upload to the sweeper."""
    _move(connection, posters.c.id == poster_id, UPLOADING, GONE)


def drop_of_event(connection: sa.Connection, event_id: str) -> None:
    """Leaves the files of an event's posters, of uploads under way too, to the sweeper."""
    connection.execute(
        sa.update(posters)
        .where(posters.c.event_id == event_id, posters.c.state != GONE)
        .values(state=GONE, changed_at=sa.func.now())
    )


def count_of_event(connection: sa.Connection, event_id: str) -> int:
    """How many posters an event has or is about to have."""
    counted = sa.select(sa.func.count()).where(posters.c.event_id == event_id, posters.c.state != GONE)
    return connection.scalar(counted) or 0


def list_of_event(connection: sa.Connection, event_id: str) -> list[Poster]:
    """An event's posters, oldest first."""
    rows = connection.execute(
        _shown().where(posters.c.event_id == event_id).order_by(posters.c.changed_at, posters.c.id)
    )
    return [Poster(**row._mapping) for row in rows]


def find_by_name(connection: sa.Connection, name: str) -> Poster | None:
    """The poster with this file."""
    row = connection.execute(_shown().where(posters.c.name == name)).one_or_none()
    return Poster(**row._mapping) if row else None


def claim_unfinished(connection: sa.Connection, abandoned_after: timedelta, limit: int) -> list[str]:
    """File names to remove, of rows locked for this transaction: gone ones, and uploads nobody finished."""
    abandoned = sa.and_(posters.c.state == UPLOADING, posters.c.changed_at < sa.func.now() - abandoned_after)
    return list(
        connection.scalars(
            sa.select(posters.c.name)
            .where(sa.or_(posters.c.state == GONE, abandoned))
            .order_by(posters.c.changed_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
    )


def forget(connection: sa.Connection, name: str) -> None:
    """Deletes the row of a file that is removed."""
    connection.execute(sa.delete(posters).where(posters.c.name == name))


def _shown() -> sa.Select[tuple[str, str, str, str]]:
    return sa.select(posters.c.id, posters.c.event_id, posters.c.name, posters.c.content_type).where(
        posters.c.state == READY
    )


def _move(connection: sa.Connection, which: sa.ColumnElement[bool], old: str, new: str) -> int:
    return connection.execute(
        sa.update(posters).where(which, posters.c.state == old).values(state=new, changed_at=sa.func.now())
    ).rowcount
