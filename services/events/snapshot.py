"""Every published event as messages tell of it, in pages by id."""

from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from services.events.model import CANCELLED, DRAFT, Event, event_data
from services.events.tables import events

_EVENT = [events.c[name] for name in Event.__dataclass_fields__]


def read_events(connection: sa.Connection, after: str, limit: int) -> list[dict[str, Any]]:
    """EventData of the next events that others ever heard of; a withdrawn one is cancelled to them."""
    query = (
        sa.select(*_EVENT).where(events.c.published, events.c.id > after).order_by(events.c.id).limit(limit)
    )
    found = (Event(**row._mapping) for row in connection.execute(query))
    shown = (replace(event, status=CANCELLED) if event.status == DRAFT else event for event in found)
    return [event_data(event).model_dump(mode="json") for event in shown]
