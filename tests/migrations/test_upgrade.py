"""An installation of the first release is upgraded: no row and no column's content is lost."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from shared.database import migrate
from shared.testing import at_first_revision, columns_of, every_row

SERVICES = Path(__file__).parents[2] / "services"
NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
# What a constraint wants; everything else may say anything.
ALLOWED = {"status": "scheduled", "key": "k"}


def some_value(column: sa.Column, row: int) -> Any:
    """A value that shows whose it is."""
    kind = column.type
    if isinstance(kind, sa.DateTime):
        return NOW.replace(minute=row)
    if isinstance(kind, sa.Boolean):
        return bool(row)
    if isinstance(kind, sa.Integer | sa.Numeric):
        return row + 1
    if isinstance(kind, sa.JSON):
        return {"row": row}
    if isinstance(kind, sa.ARRAY):
        return []
    if isinstance(kind, sa.Uuid):
        return f"00000000-0000-4000-8000-00000000000{row}"
    if isinstance(kind, sa.LargeBinary):
        return bytes([row])
    return ALLOWED.get(column.name) or f"{column.name} {row}"


def fill(engine: sa.Engine) -> None:
    """Two rows in every empty table; a reference is to the same row of the other one."""
    metadata = sa.MetaData()
    metadata.reflect(engine)
    with engine.begin() as connection:
        for table in metadata.sorted_tables:
            if connection.execute(sa.select(table)).first() is not None:
                continue  # made by the migration, and the only one: the feed's state, the revision
            for row in (0, 1):
                values = {
                    column.name: some_value(
                        next(iter(column.foreign_keys)).column if column.foreign_keys else column, row
                    )
                    for column in table.columns
                }
                connection.execute(sa.insert(table).values(values))


@pytest.mark.parametrize("service", ["accounts", "events", "tickets", "notifications"])
def test_every_row_of_the_first_release_is_there_after_the_upgrade(
    make_service_engine: Callable[[str], sa.Engine], tmp_path: Path, service: str
) -> None:
    engine = make_service_engine(service)
    migrations = SERVICES / service / "migrations"
    url = at_first_revision(engine, migrations, tmp_path)
    fill(engine)
    columns = {table: names for table, names in columns_of(engine).items() if table != "alembic_version"}
    before = every_row(engine, columns)
    assert all(len(rows) >= 1 for rows in before.values())
    migrate(url, migrations, service)
    assert every_row(engine, columns) == before
    newest = max(path.name[:4] for path in (migrations / "versions").glob("0*.py"))
    assert every_row(engine)["alembic_version"] == [(newest,)]
