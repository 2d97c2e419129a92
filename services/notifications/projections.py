"""Copies of foreign facts: events, people, and who holds what. A change applies only if it is newer."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.notifications.model import EventFacts
from services.notifications.tables import event_contents, events, holders, tickets
from shared.messages.catalogue import EventData, HolderData, UserData


def apply_event(connection: sa.Connection, data: EventData, version: int) -> bool:
    """Takes over an event if this version is newer than the one here; True if it was."""
    values = {
        "sequence": version,
        "name": data.name,
        "location": data.location,
        "timezone": data.timezone,
        "starts_at": data.starts_at,
        "status": data.status,
        "organizer_id": data.organizer_id,
        "deleted": False,
    }
    changed = _upsert_newer(connection, events, data.id, values)
    if changed:
        content = insert(event_contents).values(
            event_id=data.id,
            version=version,
            name=data.name,
            location=data.location,
            timezone=data.timezone,
        )
        connection.execute(content.on_conflict_do_nothing())
    return changed


def remove_event(connection: sa.Connection, event_id: str, version: int) -> bool:
    """Marks an event as deleted; one that is not known yet leaves a tombstone for its late messages."""
    values = {"deleted": True, "sequence": version}
    unknown = {
        "name": "",
        "location": "",
        "timezone": "UTC",
        "starts_at": sa.func.now(),
        "status": "cancelled",
    }
    statement = insert(events).values(id=event_id, **unknown, **values)
    statement = statement.on_conflict_do_update(
        index_elements=[events.c.id], set_=values, where=events.c.sequence < version
    )
    return connection.execute(statement).rowcount == 1


def apply_holder(connection: sa.Connection, data: UserData | HolderData, version: int) -> bool:
    """Takes over a person's name, address and language if newer."""
    values = {"sequence": version, "name": data.name, "email": data.email, "locale": data.locale}
    return _upsert_newer(connection, holders, data.id, {**values, "deleted": False})


def remove_holder(connection: sa.Connection, holder_id: str, version: int) -> str | None:
    """Forgets a person's name and address for good; returns the address that was known."""
    address = connection.scalar(sa.select(holders.c.email).where(holders.c.id == holder_id))
    # No later message can bring him back: the tombstone is newer than anything.
    values = {"sequence": 2**62, "name": "", "email": "", "locale": "", "deleted": True}
    statement = insert(holders).values(id=holder_id, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=[holders.c.id], set_=values))
    return address or None


def apply_ticket(
    connection: sa.Connection,
    ticket_id: str,
    event_id: str,
    holder_id: str,
    code: str,
    active: bool,
    version: int,
) -> bool:
    """Notes who holds a ticket, or that nobody does any more."""
    values = {
        "event_id": event_id,
        "holder_id": holder_id,
        "code": code,
        "active": active,
        "sequence": version,
    }
    return _upsert_newer(connection, tickets, ticket_id, values)


def find_event(connection: sa.Connection, event_id: str) -> EventFacts | None:
    """The copy of an event, deleted ones too."""
    row = connection.execute(sa.select(events).where(events.c.id == event_id)).one_or_none()
    if row is None:
        return None
    return EventFacts(
        id=row.id,
        version=row.sequence,
        name=row.name,
        location=row.location,
        timezone=row.timezone,
        starts_at=row.starts_at,
        status=row.status,
        organizer_id=row.organizer_id,
        deleted=row.deleted,
    )


def holds_ticket(connection: sa.Connection, event_id: str, holder_id: str) -> bool:
    """Whether a person still has a ticket for an event."""
    held = sa.exists().where(
        tickets.c.event_id == event_id, tickets.c.holder_id == holder_id, tickets.c.active
    )
    return bool(connection.scalar(sa.select(held)))


def _upsert_newer(connection: sa.Connection, table: sa.Table, id_: str, values: dict) -> bool:
    statement = insert(table).values(id=id_, **values)
    statement = statement.on_conflict_do_update(
        index_elements=[table.c.id], set_=values, where=table.c.sequence < values["sequence"]
    )
    return connection.execute(statement).rowcount == 1
