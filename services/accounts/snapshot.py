"""Every user as messages tell of him, in pages by id."""

from typing import Any

import sqlalchemy as sa

from services.accounts.handlers import user_data
from services.accounts.model import User
from services.accounts.tables import users

_USER = [users.c[name] for name in User.__dataclass_fields__]


def read_users(connection: sa.Connection, after: str, limit: int) -> list[dict[str, Any]]:
    """UserData of the next users."""
    query = sa.select(*_USER).where(users.c.id > after).order_by(users.c.id).limit(limit)
    found = (User(**row._mapping) for row in connection.execute(query))
    return [user_data(user).model_dump(mode="json") for user in found]
