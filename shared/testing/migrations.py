"""A database as a service's first migration left it, to be upgraded."""

import shutil
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from shared.database import migrate


def at_first_revision(engine: sa.Engine, migrations: Path, folder: Path) -> str:
    """Makes an engine's database anew with the first of these migrations alone; returns its URL.

    `folder` is an empty one.
    """
    url = engine.url.render_as_string(hide_password=False)
    (folder / "versions").mkdir()
    [first] = (migrations / "versions").glob("0001_*.py")
    shutil.copy(first, folder / "versions")
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    migrate(url, folder, "first")
    return url


def every_row(engine: sa.Engine, columns: dict[str, list[str]] | None = None) -> dict[str, list[Any]]:
    """The rows of all tables; of `columns` only, where they are given: table -> names."""
    metadata = sa.MetaData()
    metadata.reflect(engine)
    with engine.connect() as connection:
        return {
            table.name: sorted(
                map(tuple, connection.execute(sa.select(*_chosen(table, columns))).all()), key=repr
            )
            for table in metadata.sorted_tables
            if columns is None or table.name in columns
        }


def columns_of(engine: sa.Engine) -> dict[str, list[str]]:
    """table -> its columns."""
    inspector = sa.inspect(engine)
    return {
        table: [column["name"] for column in inspector.get_columns(table)]
        for table in inspector.get_table_names()
    }


def _chosen(table: sa.Table, columns: dict[str, list[str]] | None) -> list[sa.Column]:
    return list(table.columns) if columns is None else [table.c[name] for name in columns[table.name]]
