"""One page of a list: by number, or after a cursor."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from shared.http.pages import Pagination, after_key, clamp, page_of, read_cursor, write_cursor

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which page. With a cursor, "" being the start, nothing is counted and `page` means nothing."""

    page: int = 1
    page_size: int = 20
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """What is on it, newest first, and where it stands."""

    items: list[Item]
    pagination: Pagination


def read_page(
    connection: sa.Connection,
    query: sa.Select,
    newest: sa.Column,
    wanted: Wanted,
    make: Callable[..., Item],
) -> Page[Item]:
    """The page of `query` in the order of its ids; ours are UUIDv7, whose order is that of their making."""
    if wanted.cursor is not None:
        return _after(connection, query, newest, wanted, make)
    total = connection.scalar(sa.select(sa.func.count()).select_from(query.subquery())) or 0
    page = clamp(wanted.page, wanted.page_size, total)
    start = (page - 1) * wanted.page_size
    rows = connection.execute(query.order_by(newest.desc()).limit(wanted.page_size).offset(start)).all()
    more = total > start + len(rows)
    return Page(
        [make(**row._mapping) for row in rows],
        page_of(page, wanted.page_size, total, _cursor(rows, newest) if more else None),
    )


def _after(
    connection: sa.Connection, query: sa.Select, newest: sa.Column, wanted: Wanted, make: Callable[..., Item]
) -> Page[Item]:
    if wanted.cursor:
        query = query.where(after_key([newest], read_cursor(wanted.cursor, str)))
    rows = connection.execute(query.order_by(newest.desc()).limit(wanted.page_size + 1)).all()
    shown = rows[: wanted.page_size]
    following = _cursor(shown, newest) if len(rows) > len(shown) else None
    pagination = Pagination(page_size=wanted.page_size, next_cursor=following)
    return Page([make(**row._mapping) for row in shown], pagination)


def _cursor(rows: Sequence[sa.Row[Any]], newest: sa.Column) -> str | None:
    return write_cursor([rows[-1]._mapping[newest.name]]) if rows else None
