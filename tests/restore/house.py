"""A publisher and notifications with a feed between them, and the operator's pg_dump and pg_restore."""

import os
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg2
import sqlalchemy as sa
from fastapi.testclient import TestClient
from psycopg2 import sql

from infra.local.postgres import client_program
from services.notifications import bootstrap
from services.notifications.settings import read_settings
from services.notifications.tests.integration.conftest import World
from shared.http import make_api
from shared.inbox import FeedReader
from shared.messages import Message
from shared.messages.catalogue import TicketOrdered
from shared.outbox import feed_router, publish, store
from shared.testing import example


@dataclass
class House:
    """`tickets` publishes orders, `world` is notifications; nothing but the feed is between them."""

    tickets: sa.Engine
    world: World
    ordered: list[str] = field(default_factory=list)

    def order(self, *names: str) -> None:
        """People order tickets for an event that starts in an hour: their reminder is due at once."""
        starts_at = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        for name in names:
            data = example("ticket.ordered")["data"]
            data["event"].update(id="e1", version=1, starts_at=self._start or starts_at, ends_at=None)
            self._start = data["event"]["starts_at"]
            data["holder"].update(id=name, email=f"{name}@dicoevent.example", locale="en")
            data["ticket"]["id"] = f"ticket-{name}"
            message = Message("ticket.ordered", f"ticket-{name}", 1, TicketOrdered.model_validate(data))
            with self.tickets.begin() as connection:
                publish(connection, "/tickets", [message])

    _start: str = ""

    def start_publisher(self) -> None:
        """What the relay of a publisher's API does when it starts."""
        with self.tickets.begin() as connection:
            store.renew_epoch(connection)

    def read_feed(self) -> None:
        """The relay numbers what is new, and notifications reads the feed to its end."""
        with self.tickets.begin() as connection:
            store.assign_positions(connection, 1000)
        app = make_api("feed", {})
        app.include_router(feed_router(self.tickets, "token"))
        url = self.world.engine.url.render_as_string(hide_password=False)
        settings = read_settings(
            {"NOTIFICATIONS_DATABASE_URL": url, "SERVICE_TOKEN": "token", "LINK_SECRET": "s" * 32}
        )
        reader = FeedReader(self.world.engine, {"/tickets": "http://tickets"}, "token")
        reader.receiver = bootstrap.make_receiver(self.world.engine, settings, reader)
        client = TestClient(app, headers={"X-Service-Token": "token"})
        for _ in range(3):
            reader.read_batch(client, "/tickets")

    def reminded(self) -> dict[str, int]:
        """name -> how many mails came."""
        counts: dict[str, int] = {}
        for address in self.world.server.addresses():
            name = address.partition("@")[0]
            counts[name] = counts.get(name, 0) + 1
        return counts


def dump(engine: sa.Engine, file: Path) -> Path:
    """The database as docs/operations.md says: pg_dump, custom format."""
    _run("pg_dump", engine, "--format=custom", f"--file={file}")
    return file


def restore_tables(engine: sa.Engine, file: Path) -> None:
    """Into the database that is there: every table is made anew."""
    _run("pg_restore", engine, "--clean", "--if-exists", "--exit-on-error", "--no-owner", str(file))


def restore_database(engine: sa.Engine, file: Path) -> None:
    """Into a new database of the old name."""
    engine.dispose()
    server = engine.url.set(drivername="postgresql", database="postgres")
    connection = psycopg2.connect(server.render_as_string(hide_password=False))
    connection.autocommit = True
    name = sql.Identifier(engine.url.database or "")
    connection.cursor().execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
    connection.cursor().execute(sql.SQL("CREATE DATABASE {}").format(name))
    connection.close()
    _run("pg_restore", engine, "--exit-on-error", "--no-owner", str(file))


def restore_rows(engine: sa.Engine, file: Path) -> None:
    """Rows into the old tables: as a snapshot of the file system, it leaves no trace in the database."""
    with engine.begin() as connection:
        names = connection.execute(
            sa.text("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'")
        ).scalars()
        connection.execute(sa.text(f"TRUNCATE {', '.join(names)}"))
    _run("pg_restore", engine, "--data-only", "--disable-triggers", "--exit-on-error", str(file))


def _run(program: str, engine: sa.Engine, *arguments: str) -> None:
    engine.dispose()
    url = engine.url
    environment = {**os.environ, "PGPASSWORD": url.password or ""}
    where = ["-h", url.host or "", "-p", str(url.port), "-U", url.username or "", "-d", url.database or ""]
    result = subprocess.run(
        [str(client_program(program)), *where, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
