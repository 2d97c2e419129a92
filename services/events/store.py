"""Every query on events."""

from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa

from services.events.model import DRAFT, Event
from services.events.tables import events
from shared.http.pages import clamp


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
    conditions = _conditions(shown)
    total = connection.scalar(sa.select(sa.func.count()).select_from(events).where(*conditions)) or 0
    rows = connection.execute(
        sa.select(events)
        .where(*conditions)
        .order_by(events.c.starts_at.desc(), events.c.id.desc())
        .limit(page_size)
        .offset((clamp(page, page_size, total) - 1) * page_size)
    )
    return [Event(**row._mapping) for row in rows], total


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
