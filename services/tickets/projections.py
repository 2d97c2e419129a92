"""Copies of foreign facts: events and people. A change applies only if it is newer."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.tickets.model import Event, User
from services.tickets.tables import events, users
from shared.messages.catalogue import EventData, UserData

# Newer than anything: no late message brings back what was deleted.
_FOR_GOOD = 2**62


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


def find_event(connection: sa.Connection, event_id: str, lock: bool = False) -> Event | None:
    """The copy of an event, deleted ones too; with `lock` nobody else sells its seats until the commit."""
    query = sa.select(*(events.c[name] for name in Event.__dataclass_fields__)).where(events.c.id == event_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return Event(**row._mapping) if row else None


def apply_user(connection: sa.Connection, data: UserData, version: int) -> None:
    """Takes over a person if this version is newer than the one here."""
    values = data.model_dump(exclude={"id", "version"})
    _upsert_newer(connection, users, data.id, {**values, "sequence": version, "deleted": False})


def remove_user(connection: sa.Connection, user_id: str) -> None:
    """Forgets a person; the row that stays holds only his id."""
    empty = {"username": "", "name": "", "email": "", "locale": ""}
    _upsert_newer(connection, users, user_id, {**empty, "sequence": _FOR_GOOD, "deleted": True})


def find_user(connection: sa.Connection, user_id: str, hold: bool = False) -> User | None:
    """The copy of a person, deleted ones too; with `hold` nobody changes or forgets him until the commit."""
    query = sa.select(*(users.c[name] for name in User.__dataclass_fields__)).where(users.c.id == user_id)
    row = connection.execute(query.with_for_update(read=True) if hold else query).one_or_none()
    return User(**row._mapping) if row else None


def _upsert_newer(connection: sa.Connection, table: sa.Table, id_: str, values: dict[str, Any]) -> None:
    statement = insert(table).values(id=id_, **values)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[table.c.id], set_=values, where=table.c.sequence < values["sequence"]
        )
    )
