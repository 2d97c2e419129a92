"""What `/health` says of sending: campaigns that rest, and a mail relay that is away."""

from collections.abc import Callable
from datetime import timedelta

import redis
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from services.notifications import pauses, store
from services.notifications.rate import AWAY_KEY


def campaigns_check(engine: sa.Engine, offset: timedelta) -> Callable[[], str | None]:
    """Whether no campaign rests because the mail server refused one of its mails by its policy."""

    def check() -> str | None:
        try:
            with engine.connect() as connection:
                resting = pauses.count_pauses(connection, store.database_now(connection, offset))
        except SQLAlchemyError:
            return None  # the database has a check of its own
        return f"{resting} campaigns rest" if resting else None

    return check


def relay_check(client: redis.Redis) -> Callable[[], str | None]:
    """Whether no delivery worker has its breaker open: each tells so in Redis while it has."""

    def check() -> str | None:
        try:
            worker = client.get(AWAY_KEY)
        except (redis.RedisError, OSError):
            return None  # Redis has a check of its own
        return f"the mail relay is away for {worker!r}" if worker else None

    return check
