"""What was brought over already: a table beside the rows themselves, written in their transaction.

So a run that was broken off goes on where it stood, a second run changes nothing, and what somebody deleted
here since then does not come back.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.dialects.postgresql import insert

from infra.importer.errors import LeftOut
from infra.importer.report import Report
from infra.importer.source import Row

_imported = sa.Table(
    "imported_rows",
    sa.MetaData(),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
)


def prepare(engine: Engine) -> None:
    """Makes the table if it is not there."""
    _imported.metadata.create_all(engine)


def move_batch(
    engine: Engine, kind: str, rows: list[Row], write: Callable[[Connection, Row], None], report: Report
) -> None:
    """Writes those rows that no run has written yet, in one transaction; a refused one spoils no other."""
    count, outcome = report.of(kind), Report(report.say)
    with engine.begin() as connection:
        # One run at a time; the next one then sees what this one has written.
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('dicoevent.import'))"))
        known = _known(connection, kind, (row["id"] for row in rows))
        for row in rows:
            if str(row["id"]) in known:
                outcome.of(kind).before += 1
            else:
                _move(connection, kind, row, write, outcome)
    # Counted after the commit, so that the report never tells of what a broken transaction took back.
    done = outcome.of(kind)
    count.read += len(rows)
    count.written += done.written
    count.before += done.before
    count.left_out += done.left_out
    report.left_out += outcome.left_out


def _move(
    connection: Connection, kind: str, row: Row, write: Callable[[Connection, Row], None], report: Report
) -> None:
    if row.get("deleted"):
        report.refuse(kind, row["id"], "is marked as deleted")
        return
    try:
        with _whole(connection):
            write(connection, row)
            connection.execute(insert(_imported).values(kind=kind, id=str(row["id"])))
    except LeftOut as error:
        report.refuse(kind, row["id"], str(error))
    else:
        report.of(kind).written += 1


@contextmanager
def _whole(connection: Connection) -> Iterator[None]:
    try:
        with connection.begin_nested():
            yield
    except (sa.exc.IntegrityError, sa.exc.DataError) as error:
        raise LeftOut(f"the database refuses it: {str(error.orig).splitlines()[0]}") from None


def _known(connection: Connection, kind: str, ids: Iterable[object]) -> set[str]:
    query = sa.select(_imported.c.id).where(_imported.c.kind == kind, _imported.c.id.in_(map(str, ids)))
    return set(connection.scalars(query))
