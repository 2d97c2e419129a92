"""All of it in order: who is referred to comes first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from infra.importer import ledger, source
from infra.importer.accounts import AccountsTarget
from infra.importer.errors import LeftOut
from infra.importer.events import EventsTarget
from infra.importer.report import Report
from infra.importer.source import Row, Table
from infra.importer.tickets import TicketsTarget
from services.accounts.tables import users

Write = Callable[[Connection, Row], None]
POSTERS_LEFT = "pictures are files, not rows: upload it again with POST /api/events/upload/"


@dataclass(frozen=True, slots=True)
class Targets:
    """The databases that are written to."""

    accounts: Engine
    events: Engine
    tickets: Engine


def move(old: Connection, targets: Targets, zone: str, named: Mapping[str, str], report: Report) -> None:
    """Moves everything; raises SourceError before anything is written if the old database is not one.

    `old` is read in one snapshot. `zone` is where times without a zone are read, `named` the tables that
    are called otherwise.
    """
    tables = source.discover(old, named)
    for engine in (targets.accounts, targets.events, targets.tickets):
        ledger.prepare(engine)
    report.missing = [kind for kind in source.KINDS if kind not in tables]
    accounts = AccountsTarget(report, zone)
    tickets = TicketsTarget(targets.accounts, targets.events, zone)
    names = _group_names(old, tables)

    def run(kind: str, engine: Engine, write: Write) -> None:
        if kind in tables:
            _move_kind(old, tables[kind], kind, engine, write, report)

    run("users", targets.accounts, accounts.write_user)
    run("groups", targets.accounts, accounts.write_group)
    run("memberships", targets.accounts, lambda c, row: accounts.write_membership(c, row, names))
    owner = _first_superuser(targets.accounts)
    run("events", targets.events, EventsTarget(report, zone, owner).write_event)
    run("tickets", targets.tickets, tickets.write_type)
    run("registrations", targets.tickets, tickets.write_order)
    run("payments", targets.tickets, tickets.write_payment)
    run("posters", targets.events, _refuse_poster)


def _move_kind(
    old: Connection, table: Table, kind: str, engine: Engine, write: Write, report: Report
) -> None:
    total = source.count(old, table)
    report.of(kind)
    for batch in source.read(old, table):
        ledger.move_batch(engine, kind, batch, write, report)
        report.say(f"{kind} {report.of(kind).read}/{total}")


def _group_names(old: Connection, tables: Mapping[str, Table]) -> dict[object, str]:
    if "groups" not in tables:
        return {}
    return {row["id"]: row["name"] for batch in source.read(old, tables["groups"]) for row in batch}


def _first_superuser(engine: Engine) -> str | None:
    query = sa.select(users.c.id).where(users.c.is_superuser).order_by(users.c.created_at).limit(1)
    with engine.connect() as connection:
        return connection.scalar(query)


def _refuse_poster(connection: Connection, row: Row) -> None:
    raise LeftOut(f"{row['image']} of event {row['event_id']}: {POSTERS_LEFT}")
