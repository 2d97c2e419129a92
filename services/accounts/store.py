"""Every query of accounts."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

from services.accounts.model import User, fold, name_key
from services.accounts.tables import families, groups, memberships, users
from shared.http.pages import after_key, clamp

_USER = [users.c[name] for name in User.__dataclass_fields__]
_GROUPS = sa.select(groups.c.id, groups.c.name).order_by(groups.c.id)
_OLDEST_FIRST = (users.c.created_at, users.c.id)
# Never shown and never mailed: what outbox rows say of a person who was deleted (RFC 2606 name).
_GONE = {"username": "", "name": "", "email": "deleted@dicoevent.invalid"}


def _values(user: User) -> dict[str, Any]:
    keys = {
        "username_key": name_key("username", user.username),
        "email_key": name_key("email", user.email),
    }
    return {**asdict(user), **keys}


def add_user(connection: sa.Connection, user: User) -> None:
    """Raises FieldInvalid for a name that cannot be indexed."""
    connection.execute(sa.insert(users).values(**_values(user)))


def save_user(connection: sa.Connection, user: User) -> None:
    """Raises FieldInvalid for a name that cannot be indexed."""
    connection.execute(sa.update(users).where(users.c.id == user.id).values(**_values(user)))


def save_password_hash(connection: sa.Connection, user_id: str, password_hash: str) -> None:
    connection.execute(sa.update(users).where(users.c.id == user_id).values(password_hash=password_hash))


def find_user(connection: sa.Connection, user_id: str, lock: bool = False) -> User | None:
    query = sa.select(*_USER).where(users.c.id == user_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return User(**row._mapping) if row else None


def user_exists(connection: sa.Connection, user_id: str) -> bool:
    return connection.scalar(sa.select(sa.literal(1)).where(users.c.id == user_id)) is not None


def find_by_username(connection: sa.Connection, username: str) -> User | None:
    query = sa.select(*_USER).where(users.c.username_key == fold(username))
    row = connection.execute(query).one_or_none()
    return User(**row._mapping) if row else None


def list_users(
    connection: sa.Connection, page: int, page_size: int
) -> tuple[list[User], int, Sequence[Any] | None]:
    """(one page, oldest first; how many there are; the key to go on from); past the end is the last page."""
    total = connection.scalar(sa.select(sa.func.count()).select_from(users)) or 0
    start = (clamp(page, page_size, total) - 1) * page_size
    shown, next_key = _some_users(connection, sa.select(*_USER).offset(start), page_size)
    return shown, total, next_key


def users_after(
    connection: sa.Connection, key: Sequence[Any] | None, page_size: int
) -> tuple[list[User], Sequence[Any] | None]:
    """(the users after `key`, from the first without one; the key to go on from, None at the end)."""
    query = sa.select(*_USER)
    if key is not None:
        query = query.where(after_key(_OLDEST_FIRST, key, descending=False))
    return _some_users(connection, query, page_size)


def _some_users(
    connection: sa.Connection, query: sa.Select, limit: int
) -> tuple[list[User], Sequence[Any] | None]:
    query = query.add_columns(users.c.created_at.label("made")).order_by(*_OLDEST_FIRST).limit(limit + 1)
    rows = connection.execute(query).all()
    shown = rows[:limit]
    next_key = (shown[-1].made, shown[-1].id) if len(rows) > limit else None
    return [User(*row._tuple()[:-1]) for row in shown], next_key


def remove_user(connection: sa.Connection, user_id: str) -> None:
    """Deletes a user, and takes his name and address out of the messages that told of him."""
    connection.execute(sa.delete(users).where(users.c.id == user_id))
    connection.execute(
        sa.text(
            "UPDATE outbox SET envelope = jsonb_set(envelope, '{data}', (envelope -> 'data') || :gone)"
            " WHERE subject = :id AND type IN ('user.registered', 'user.updated')"
        ).bindparams(sa.bindparam("gone", type_=JSONB)),
        {"gone": _GONE, "id": user_id},
    )


def group_names(connection: sa.Connection, user_id: str) -> list[str]:
    query = sa.select(groups.c.name).join(memberships).where(memberships.c.user_id == user_id)
    return list(connection.execute(query).scalars())


def list_groups(connection: sa.Connection, page: int, page_size: int) -> tuple[list[sa.Row], int, int | None]:
    """(one page by id; how many there are; the id to go on from); past the end is the last page."""
    total = connection.scalar(sa.select(sa.func.count()).select_from(groups)) or 0
    start = (clamp(page, page_size, total) - 1) * page_size
    shown, next_id = _some_groups(connection, _GROUPS.offset(start), page_size)
    return shown, total, next_id


def groups_after(connection: sa.Connection, group_id: int, page_size: int) -> tuple[list[sa.Row], int | None]:
    """(the groups with higher ids; the id to go on from, None at the end)."""
    return _some_groups(connection, _GROUPS.where(groups.c.id > group_id), page_size)


def _some_groups(connection: sa.Connection, query: sa.Select, limit: int) -> tuple[list[sa.Row], int | None]:
    rows = list(connection.execute(query.limit(limit + 1)))
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


def find_group(connection: sa.Connection, group_id: int) -> sa.Row | None:
    return connection.execute(_GROUPS.where(groups.c.id == group_id)).one_or_none()


def add_group(connection: sa.Connection, name: str) -> int:
    values = {"name": name, "name_key": name_key("name", name)}
    return connection.execute(sa.insert(groups).values(values).returning(groups.c.id)).scalar_one()


def rename_group(connection: sa.Connection, group_id: int, name: str) -> bool:
    values = {"name": name, "name_key": name_key("name", name)}
    return bool(connection.execute(sa.update(groups).where(groups.c.id == group_id).values(values)).rowcount)


def remove_group(connection: sa.Connection, group_id: int) -> bool:
    return bool(connection.execute(sa.delete(groups).where(groups.c.id == group_id)).rowcount)


def add_member(connection: sa.Connection, user_id: str, group_id: int) -> None:
    statement = insert(memberships).values(user_id=user_id, group_id=group_id)
    connection.execute(statement.on_conflict_do_nothing())


def add_family(
    connection: sa.Connection, family: str, user_id: str, token_id: str, expires_at: datetime
) -> None:
    connection.execute(
        sa.insert(families).values(id=family, user_id=user_id, current=token_id, expires_at=expires_at)
    )
    connection.execute(sa.delete(families).where(families.c.expires_at < sa.func.now()))


def rotate_family(connection: sa.Connection, family: str, old: str, new: str, expires_at: datetime) -> bool:
    """Makes `new` the good token of a family; False if `old` was not, and then the family is over."""
    rotated = connection.execute(
        sa.update(families)
        .where(families.c.id == family, families.c.current == old)
        .values(current=new, expires_at=expires_at)
    ).rowcount
    if not rotated:
        connection.execute(sa.delete(families).where(families.c.id == family))
    return bool(rotated)


def end_families(connection: sa.Connection, user_id: str) -> None:
    connection.execute(sa.delete(families).where(families.c.user_id == user_id))
