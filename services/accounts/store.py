"""Every query of accounts."""

from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

from services.accounts.model import User
from services.accounts.tables import families, groups, memberships, users

_USER = [users.c[name] for name in User.__dataclass_fields__]
# Never shown and never mailed: what outbox rows say of a person who was deleted (RFC 2606 name).
_GONE = {"username": "", "name": "", "email": "deleted@dicoevent.invalid"}


def add_user(connection: sa.Connection, user: User) -> None:
    connection.execute(sa.insert(users).values(**asdict(user)))


def save_user(connection: sa.Connection, user: User) -> None:
    connection.execute(sa.update(users).where(users.c.id == user.id).values(**asdict(user)))


def find_user(connection: sa.Connection, user_id: str, lock: bool = False) -> User | None:
    query = sa.select(*_USER).where(users.c.id == user_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return User(**row._mapping) if row else None


def find_by_username(connection: sa.Connection, username: str) -> User | None:
    query = sa.select(*_USER).where(sa.func.lower(users.c.username) == username.lower())
    row = connection.execute(query).one_or_none()
    return User(**row._mapping) if row else None


def list_users(connection: sa.Connection, page: int, page_size: int) -> tuple[list[User], int]:
    """(one page, oldest first; how many there are); a page past the end is the last one."""
    total = connection.scalar(sa.select(sa.func.count()).select_from(users)) or 0
    start = min(page - 1, max(0, (total - 1) // page_size)) * page_size
    query = sa.select(*_USER).order_by(users.c.created_at, users.c.id).limit(page_size).offset(start)
    return [User(**row._mapping) for row in connection.execute(query)], total


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


def list_groups(connection: sa.Connection) -> list[sa.Row]:
    return list(connection.execute(sa.select(groups).order_by(groups.c.id)))


def find_group(connection: sa.Connection, group_id: int) -> sa.Row | None:
    return connection.execute(sa.select(groups).where(groups.c.id == group_id)).one_or_none()


def add_group(connection: sa.Connection, name: str) -> int:
    return connection.execute(sa.insert(groups).values(name=name).returning(groups.c.id)).scalar_one()


def rename_group(connection: sa.Connection, group_id: int, name: str) -> bool:
    statement = sa.update(groups).where(groups.c.id == group_id).values(name=name)
    return bool(connection.execute(statement).rowcount)


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
