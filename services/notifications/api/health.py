"""What `/health` says of sending: campaigns that rest, and a mail relay that is not there."""

from collections.abc import Callable
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from services.notifications import leases, store


def sending_check(engine: sa.Engine, offset: timedelta) -> Callable[[], str | None]:
    """Whether no campaign rests because the mail server refused one of its mails by its policy."""

    def check() -> str | None:
        try:
            with engine.connect() as connection:
                resting = leases.count_pauses(connection, store.database_now(connection, offset))
        except SQLAlchemyError as error:
            return str(error)
        return f"{resting} campaigns rest" if resting else None

    return check
