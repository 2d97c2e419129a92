"""Engines with a deadline on everything."""

from typing import Any

import psycopg2
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

# A machine that is gone says nothing: without these a thread waits a quarter of an hour for its answer, and
# one that only listens two hours. https://www.postgresql.org/docs/15/libpq-connect.html#LIBPQ-KEEPALIVES
NOTICES_A_DEAD_MACHINE: dict[str, Any] = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}


def make_engine(url: str, application_name: str, pool_size: int = 5, ping: bool = True) -> Engine:
    """An engine that waits at most 5 s for a connection and 30 s for a statement.

    Without `ping` a connection that died in the pool shows itself by an error; its user does its work again.
    """
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=5,
        pool_pre_ping=ping,
        # Errors are logged; the values of a statement are addresses, names and hashes.
        hide_parameters=True,
        connect_args={
            "application_name": application_name,
            "connect_timeout": 5,
            **NOTICES_A_DEAD_MACHINE,
            "options": "-c statement_timeout=30000 -c lock_timeout=10000"
            " -c idle_in_transaction_session_timeout=60000 -c timezone=UTC",
        },
    )


# https://www.postgresql.org/docs/15/errcodes-appendix.html: serialization failure, deadlock, lock not
# available, too many connections, shutting down. The same statement may well succeed a moment later.
_PASSING = ("40", "53", "55", "57")


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed when it is tried again."""
    # The driver's own errors come through where SQLAlchemy gives a connection back to its pool.
    driver = psycopg2.OperationalError | psycopg2.InterfaceError
    if isinstance(error, PoolTimeout | OperationalError | InterfaceError | driver):
        return True
    if isinstance(error, DBAPIError):
        code = getattr(error.orig, "pgcode", None) or ""
        return error.connection_invalidated or code.startswith(_PASSING)
    return False
