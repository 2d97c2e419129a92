"""Checks for `/health`; each returns None when well and a short text when not."""

from collections.abc import Callable

import redis
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError


def database_check(engine: sa.Engine) -> Callable[[], str | None]:
    """Whether the database answers."""

    def check() -> str | None:
        try:
            with engine.connect() as connection:
                connection.execute(sa.text("SELECT 1"))
        except SQLAlchemyError as error:
            return str(error)
        return None

    return check


def redis_check(url: str) -> Callable[[], str | None]:
    """Whether Redis answers within a second."""
    client = redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1, retry=None)

    def check() -> str | None:
        try:
            client.ping()
        except (redis.RedisError, OSError) as error:
            return str(error)
        return None

    return check
