"""Lists in pages: by number, and by a cursor whose cost does not grow with the depth (keyset)."""

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, Field

from shared.http.errors import Invalid
from shared.http.fields import storable


def _absent(value: object) -> bool:
    return value is None


class Pagination(BaseModel):
    """Where a page stands. `next_cursor` is absent on the last page; a page asked for by cursor is not
    counted, so it has no `page`, `pages` and `total`.
    """

    page: int | None = Field(None, ge=1, exclude_if=_absent)
    page_size: int = Field(ge=1)
    pages: int | None = Field(None, ge=1, exclude_if=_absent)
    total: int | None = Field(None, ge=0, exclude_if=_absent)
    next_cursor: str | None = Field(None, exclude_if=_absent)


def page_of(page: int, page_size: int, total: int, next_cursor: str | None = None) -> Pagination:
    """The `pagination` object of a numbered page; one past the end is the last one."""
    pages = max(1, -(-total // page_size))
    return Pagination(
        page=min(page, pages), page_size=page_size, pages=pages, total=total, next_cursor=next_cursor
    )


def clamp(page: int, page_size: int, total: int) -> int:
    """The page that is shown when `page` is asked for."""
    return min(page, max(1, -(-total // page_size)))


def write_cursor(key: Sequence[datetime | str | int]) -> str:
    """The sort key of a page's last row as an opaque word for `?cursor=`."""
    parts = [part.isoformat() if isinstance(part, datetime) else part for part in key]
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def read_cursor(cursor: str, *kinds: type) -> tuple[Any, ...]:
    """The key that `write_cursor` wrote, each part of its kind (datetime, str or int); raises Invalid."""
    try:
        padded = cursor.encode() + b"=" * (-len(cursor) % 4)
        parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if not isinstance(parts, list) or len(parts) != len(kinds):
            raise ValueError(cursor)
        return tuple(_part(part, kind) for part, kind in zip(parts, kinds, strict=True))
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise Invalid.field("cursor", "is not one that a list has answered") from None


def _part(part: object, kind: type) -> datetime | str | int:
    if kind is int:
        if type(part) is not int or not -(2**63) <= part < 2**63:
            raise ValueError(part)
        return part
    if not isinstance(part, str):
        raise TypeError(part)
    if kind is str:
        return storable(part)
    time = datetime.fromisoformat(part)
    if time.tzinfo is None:
        raise ValueError(part)
    return time


def after_key(
    columns: Sequence[sa.ColumnElement[Any]], key: Sequence[Any], descending: bool = True
) -> sa.ColumnElement[bool]:
    """Whether a row comes after `key` in the order of `columns`; one row comparison, so one index scan."""
    here = sa.tuple_(*columns)
    there = sa.tuple_(*(sa.literal(part, column.type) for part, column in zip(key, columns, strict=True)))
    return here < there if descending else here > there
