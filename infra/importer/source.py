"""The tables of the old DicoEvent, whatever its apps were called."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

import sqlalchemy as sa

from infra.importer.errors import SourceError

BATCH = 500
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """How the table of a kind is known: the end of its name and its columns, each with the names it may
    have (patterns of the shell).
    """

    endings: tuple[str, ...]
    required: Mapping[str, tuple[str, ...]]
    optional: Mapping[str, tuple[str, ...]]


def _same(*names: str) -> dict[str, tuple[str, ...]]:
    return {name: (name,) for name in names}


_DELETED = {"deleted": ("is_deleted", "deleted", "deleted_at")}
_QUOTA = ("quota", "capacity")
KINDS: dict[str, Kind] = {
    "users": Kind(
        ("user", "users"),
        _same("id", "username", "email", "password"),
        _same("first_name", "last_name", "is_superuser", "is_active", "date_joined") | _DELETED,
    ),
    "groups": Kind(("group", "groups"), _same("id", "name"), {}),
    "memberships": Kind(
        ("user_groups", "users_groups", "groups"),
        {"id": ("id",), "user_id": ("user_id", "*user_id"), "group_id": ("group_id",)},
        {},
    ),
    "events": Kind(
        ("event", "events"),
        {**_same("id", "name"), "start_time": ("start_time", "start_date", "starts_at")},
        {
            "end_time": ("end_time", "end_date", "ends_at"),
            "quota": _QUOTA,
            "organizer_id": ("organizer_id", "created_by_id", "owner_id", "user_id"),
            **_same("description", "location", "status", "category", "timezone"),
            **_DELETED,
        },
    ),
    "tickets": Kind(
        ("ticket", "tickets"),
        {**_same("id", "event_id", "name", "price"), "quota": _QUOTA},
        {"sales_start": ("sales_start", "sale_start"), "sales_end": ("sales_end", "sale_end"), **_DELETED},
    ),
    "registrations": Kind(
        ("registration", "registrations"),
        _same("id", "ticket_id", "user_id"),
        {
            "registered_at": ("registered_at", "registration_date", "created_at", "date"),
            "status": ("status",),
            **_DELETED,
        },
    ),
    "payments": Kind(
        ("payment", "payments"),
        {"id": ("id",), "registration_id": ("registration_id",), "amount": ("amount_paid", "amount")},
        {
            "method": ("payment_method", "method"),
            "status": ("payment_status", "status"),
            "created_at": ("created_at", "payment_date", "paid_at", "date"),
            **_DELETED,
        },
    ),
    "posters": Kind(
        ("poster", "posters", "eventposter", "eventimage", "image", "media"),
        {"id": ("id",), "event_id": ("event_id",), "image": ("image", "file", "poster")},
        {},
    ),
}
# Without these there is nothing to move; the others may be missing, and that is told.
VITAL = ("users", "events")


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the old database and the name of each field's column in it."""

    schema: str
    name: str
    columns: Mapping[str, str]


def discover(connection: sa.Connection, named: Mapping[str, str]) -> dict[str, Table]:
    """The table of each kind that is there; `named` says for some which it is. Raises SourceError."""
    tables: dict[tuple[str, str], set[str]] = {}
    query = (
        "SELECT table_schema, table_name, column_name FROM information_schema.columns"
        " WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
    )
    for schema, name, column in connection.execute(sa.text(query)):
        tables.setdefault((schema, name), set()).add(column)
    found = {kind: _find(kind, tables, named.get(kind)) for kind in KINDS}
    if missing := [kind for kind in VITAL if found[kind] is None]:
        raise SourceError(
            f"No table for {' and '.join(missing)} was found; say which it is with --table KIND=NAME."
        )
    return {kind: table for kind, table in found.items() if table is not None}


def _find(kind: str, tables: Mapping[tuple[str, str], set[str]], named: str | None) -> Table | None:
    candidates = []
    for (schema, name), columns in tables.items():
        if name == named or (named is None and _ends(name, KINDS[kind].endings)):
            matched = _match(KINDS[kind], columns)
            if matched is not None:
                candidates.append(Table(schema, name, matched))
    if named is not None and not candidates:
        needed = ", ".join(KINDS[kind].required)
        raise SourceError(f"--table {kind}={named}: there is no such table with columns for {needed}.")
    most = max((len(table.columns) for table in candidates), default=0)
    best = [table for table in candidates if len(table.columns) == most]
    if len(best) > 1:
        names = ", ".join(sorted(table.name for table in best))
        raise SourceError(f"Several tables could hold {kind}: {names}; choose with --table {kind}=NAME.")
    return best[0] if best else None


def _ends(name: str, endings: tuple[str, ...]) -> bool:
    return any(name == ending or name.endswith(f"_{ending}") for ending in endings)


def _match(kind: Kind, columns: set[str]) -> dict[str, str] | None:
    """Field -> column; None if a required one has none."""
    matched = {}
    for field, patterns in {**kind.required, **kind.optional}.items():
        fitting = [column for pattern in patterns for column in sorted(columns) if fnmatch(column, pattern)]
        if fitting:
            matched[field] = fitting[0]
        elif field in kind.required:
            return None
    return matched


def count(connection: sa.Connection, table: Table) -> int:
    """How many rows there are."""
    return connection.scalar(sa.select(sa.func.count()).select_from(_table(table))) or 0


def read(connection: sa.Connection, table: Table) -> Iterator[list[Row]]:
    """The rows in the order of their ids, `BATCH` at a time; a key for each field that has a column."""
    source = _table(table)
    columns = [source.c[column].label(field) for field, column in table.columns.items()]
    query = sa.select(*columns).order_by(source.c[table.columns["id"]])
    rows = connection.execution_options(stream_results=True, yield_per=BATCH).execute(query)
    for batch in rows.partitions(BATCH):
        yield [dict(row._mapping) for row in batch]


def _table(table: Table) -> sa.TableClause:
    return sa.table(
        table.name, *(sa.column(name) for name in set(table.columns.values())), schema=table.schema
    )
