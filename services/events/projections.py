"""Copies of accounts' users. A change applies only if it is newer; a deleted user stays deleted."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.events.tables import users
from shared.messages.catalogue import UserData

# Newer than anything: no late message brings a deleted user back.
_FOR_GOOD = 2**62


def apply_user(connection: sa.Connection, data: UserData, version: int) -> None:
    """Takes over a user if this version is newer than the one here."""
    _upsert_newer(connection, data.id, version, username=data.username, name=data.name, deleted=False)


def remove_user(connection: sa.Connection, user_id: str) -> None:
    """Forgets a user; the row that stays holds only his id."""
    _upsert_newer(connection, user_id, _FOR_GOOD, username="", name="", deleted=True)


def find_user(connection: sa.Connection, user_id: str) -> bool | None:
    """True for a user who is here, False for a deleted one, None for one nobody has told us of."""
    deleted = connection.scalar(sa.select(users.c.deleted).where(users.c.id == user_id))
    return None if deleted is None else not deleted


def _upsert_newer(connection: sa.Connection, user_id: str, version: int, **values: str | bool) -> None:
    statement = insert(users).values(id=user_id, sequence=version, **values)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[users.c.id],
            set_={"sequence": version, **values},
            where=users.c.sequence < version,
        )
    )
