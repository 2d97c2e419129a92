"""Every query on events."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.events.model import DRAFT, Event
from services.events.tables import cache_generation, events
from shared.http.pages import after_key, clamp

_ORDER = (events.c.starts_at, events.c.id)


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events a list shows; None and "" leave a condition out. Both bounds are inclusive.

    Drafts: all of them with `all_drafts`, else those of the organizer `drafts_of`.
    """

    search: str = ""
    category: str = ""
    status: str = ""
    starts_from: datetime | None = None
    starts_until: datetime | None = None
    all_drafts: bool = False
    drafts_of: str | None = None


def add_event(connection: sa.Connection, event: Event) -> None:
    """Stores a new event."""
    connection.execute(sa.insert(events).values(**asdict(event)))


def save_event(connection: sa.Connection, event: Event) -> None:
    """Stores a changed event, which the caller has locked."""
    connection.execute(sa.update(events).where(events.c.id == event.id).values(**asdict(event)))


def remove_event(connection: sa.Connection, event_id: str) -> None:
    """Deletes an event, which the caller has locked."""
    connection.execute(sa.delete(events).where(events.c.id == event_id))


def find_event(connection: sa.Connection, event_id: str, lock: bool = False) -> Event | None:
    """The event, drafts too; with `lock` nobody else changes it until the transaction ends."""
    query = sa.select(events).where(events.c.id == event_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return Event(**row._mapping) if row else None


def list_events(
    connection: sa.Connection, shown: EventFilter, page: int, page_size: int
) -> tuple[list[Event], int]:
    """(one page, newest start first; how many there are in all); past the end it is the last page."""
    counted = sa.select(sa.func.count()).select_from(events).where(*_conditions(shown))
    total = connection.scalar(counted) or 0
    skipped = (clamp(page, page_size, total) - 1) * page_size
    rows = connection.execute(_newest_first(shown).limit(page_size).offset(skipped))
    return [Event(**row._mapping) for row in rows], total


def list_after(
    connection: sa.Connection, shown: EventFilter, page_size: int, key: tuple[datetime, str]
) -> list[Event]:
    """The events that follow the one with this (start, id), newest start first; as dear at any depth."""
    rows = connection.execute(after_query(shown, page_size, key))
    return [Event(**row._mapping) for row in rows]


def after_query(shown: EventFilter, page_size: int, key: tuple[datetime, str]) -> sa.Select[Any]:
    """The query of `list_after`; a scan of one index from the key on."""
    return _newest_first(shown).where(after_key(_ORDER, key)).limit(page_size)


def read_generation(connection: sa.Connection) -> str:
    """The value that changes with every change of an event; what this snapshot shows belongs to it."""
    return connection.scalars(sa.select(cache_generation.c.generation)).one()


def _newest_first(shown: EventFilter) -> sa.Select[Any]:
    order = (column.desc() for column in _ORDER)
    return sa.select(events).where(*_conditions(shown)).order_by(*order)


def _conditions(shown: EventFilter) -> list[sa.ColumnElement[bool]]:
    conditions = [_visible(shown)]
    if shown.search:
        texts = (events.c.name, events.c.description, events.c.location)
        conditions.append(sa.or_(*(text.icontains(shown.search, autoescape=True) for text in texts)))
    if shown.category:
        conditions.append(sa.func.lower(events.c.category) == sa.func.lower(shown.category))
    if shown.status:
        conditions.append(events.c.status == shown.status)
    if shown.starts_from is not None:
        conditions.append(events.c.starts_at >= shown.starts_from)
    if shown.starts_until is not None:
        conditions.append(events.c.starts_at <= shown.starts_until)
    return conditions


def _visible(shown: EventFilter) -> sa.ColumnElement[bool]:
    if shown.all_drafts:
        return sa.true()
    if shown.drafts_of is not None:
        return sa.or_(events.c.status != DRAFT, events.c.organizer_id == shown.drafts_of)
    return events.c.status != DRAFT
