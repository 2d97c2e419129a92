"""How PostgreSQL carries out what code asks of it: every statement of a block, with its plan."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

_PLANNED = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")


@dataclass(slots=True)
class Statements:
    """What was executed, in order; parameters as psycopg2 takes them."""

    seen: list[tuple[str, Any]] = field(default_factory=list)

    def plans(self, engine: sa.Engine) -> list[tuple[str, str]]:
        """(statement, its plan now) for each different one that has a plan; executes none of them."""
        different = {statement: parameters for statement, parameters in self.seen if _has_plan(statement)}
        with engine.connect() as connection:
            return [
                (statement, _plan(connection, statement, parameters))
                for statement, parameters in different.items()
            ]


@contextmanager
def recorded(engine: sa.Engine) -> Iterator[Statements]:
    """Notes every statement that goes through this engine within the block, from whatever thread."""
    statements = Statements()

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if not many:
            statements.seen.append((statement, parameters))

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


def _has_plan(statement: str) -> bool:
    return statement.lstrip().upper().startswith(_PLANNED)


def _plan(connection: sa.Connection, statement: str, parameters: Any) -> str:
    rows = connection.exec_driver_sql(f"EXPLAIN (COSTS OFF) {statement}", parameters)
    return "\n".join(rows.scalars())
