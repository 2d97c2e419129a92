"""The four databases as the soak sees them: past the links, with a new connection for each look."""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg2
from sqlalchemy.engine import make_url

PUBLISHERS = ("accounts", "events", "tickets")
# consumer -> whose feeds it reads
READS = {
    "events": ("accounts",),
    "tickets": ("accounts", "events"),
    "notifications": ("accounts", "events", "tickets"),
}
Row = tuple[Any, ...]
Values = Sequence[Any] | Mapping[str, Any]


class Databases:
    """Queries by service; raises psycopg2.Error while PostgreSQL is away."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._urls = {
            service: make_url(env[f"{service.upper()}_DATABASE_URL"]).set(drivername="postgresql")
            for service in (*PUBLISHERS, "notifications")
        }
        self._admin = make_url(env["DATABASE_URL"]).set(drivername="postgresql")

    def rows(self, service: str, query: str, values: Values = ()) -> list[Row]:
        """What a query finds in a service's database."""
        connection = psycopg2.connect(
            self._urls[service].render_as_string(hide_password=False),
            connect_timeout=3,
            options="-c statement_timeout=20000",
        )
        try:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(query, values or None)
            return cursor.fetchall()
        finally:
            connection.close()

    def one(self, service: str, query: str, values: Values = ()) -> Any:
        """The first value of the first row, None without one."""
        found = self.rows(service, query, values)
        return found[0][0] if found else None

    def connect_as_superuser(self) -> "psycopg2.extensions.connection":
        """A connection of PostgreSQL's own superuser."""
        return psycopg2.connect(self._admin.render_as_string(hide_password=False), connect_timeout=3)
