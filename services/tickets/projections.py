"""Copies of foreign facts: events and people. A change applies only if it is newer."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.tickets.model import Event, User
from services.tickets.tables import events, users
from shared.messages.catalogue import EventData, UserData

# Newer than anything: no late message brings back what was deleted.
_FOR_GOOD = 2**62
_USER = [users.c[name] for name in User.__dataclass_fields__]


def apply_event(connection: sa.Connection, data: EventData, version: int) -> None:
    """Takes over an event if this version is newer than the one here."""
    # A message says more of an event than is kept here.
    values = data.model_dump(include=set(events.c.keys()) - {"id"})
    _upsert_newer(connection, events, data.id, {**values, "sequence": version, "deleted": False})


def remove_event(connection: sa.Connection, event_id: str) -> None:
    """Marks an event as deleted for good; its orders stay."""
    gone = {"sequence": _FOR_GOOD, "deleted": True}
    unknown = {"name": "", "location": "", "timezone": "UTC", "status": "cancelled"}
    statement = insert(events).values(id=event_id, starts_at=sa.func.now(), **unknown, **gone)
    connection.execute(statement.on_conflict_do_update(index_elements=[events.c.id], set_=gone))


def find_event(connection: sa.Connection, event_id: str) -> Event | None:
    """The copy of an event, deleted ones too."""
    query = sa.select(*(events.c[name] for name in Event.__dataclass_fields__)).where(events.c.id == event_id)
    row = connection.execute(query).one_or_none()
    return Event(**row._mapping) if row else None


def zones_of(connection: sa.Connection, event_ids: Collection[str]) -> dict[str, str]:
    """The time zones of these events; those never told of are missing."""
    query = sa.select(events.c.id, events.c.timezone).where(events.c.id.in_(set(event_ids)))
    return {row.id: row.timezone for row in connection.execute(query)}


def apply_user(connection: sa.Connection, data: UserData, version: int) -> None:
    """Takes over a person if this version is newer than the one here."""
    values = data.model_dump(exclude={"id", "version"})
    _upsert_newer(connection, users, data.id, {**values, "sequence": version, "deleted": False})


def remove_user(connection: sa.Connection, user_id: str) -> None:
    """Forgets a person; the row that stays holds only his id."""
    empty = {"username": "", "name": "", "email": "", "locale": ""}
    _upsert_newer(connection, users, user_id, {**empty, "sequence": _FOR_GOOD, "deleted": True})


def find_user(connection: sa.Connection, user_id: str) -> User | None:
    """The copy of a person, deleted ones too."""
    row = connection.execute(sa.select(*_USER).where(users.c.id == user_id)).one_or_none()
    return User(**row._mapping) if row else None


def hold_users(connection: sa.Connection, user_ids: Collection[str]) -> dict[str, User]:
    """The copies of these people by id; until the commit nobody changes or forgets them."""
    query = sa.select(*_USER).where(users.c.id.in_(set(user_ids))).order_by(users.c.id)
    rows = connection.execute(query.with_for_update(read=True))
    return {row.id: User(**row._mapping) for row in rows}


def _upsert_newer(connection: sa.Connection, table: sa.Table, id_: str, values: dict[str, Any]) -> None:
    statement = insert(table).values(id=id_, **values)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[table.c.id], set_=values, where=table.c.sequence < values["sequence"]
        )
    )
