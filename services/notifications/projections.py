"""Copies of foreign facts: events, people, and who holds what. A change applies only if it is newer."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.notifications.model import Content, EventFacts
from services.notifications.tables import event_contents, events, holders, tickets
from shared.messages.catalogue import EventData, HolderData, UserData


@dataclass(frozen=True, slots=True)
class Change:
    """An event before and after a message; `before` is None for one that nobody had told of."""

    before: EventFacts | None
    after: EventFacts


def apply_event(
    connection: sa.Connection,
    data: EventData,
    version: int,
    changed_at: datetime | None = None,
    hearsay: bool = False,
) -> Change | None:
    """Takes over an event if this version is newer than the one here; the row stays locked until the commit.

    From `hearsay` (an order) lead times and note are taken only if it tells of them; the event's own message
    of the same version still comes after it.
    """
    before = find_event(connection, data.id, lock=True)
    newer = before is None or before.version < version
    better = before is not None and before.version == version and before.hearsay and not hearsay
    if not (newer or better):
        _keep_content(connection, data, version, None)
        return None
    reminders, note = data.reminders, data.reminder_note
    if hearsay and before is not None:
        reminders = (
            list(before.reminders) if reminders is None and before.reminders is not None else reminders
        )
        note = note or before.note
    values = _event_values(data, version, reminders, note, hearsay)
    where = events.c.sequence < version if newer else events.c.sequence == version
    statement = insert(events).values(id=data.id, **values)
    statement = statement.on_conflict_do_update(index_elements=[events.c.id], set_=values, where=where)
    if connection.execute(statement).rowcount == 0:
        return None
    _keep_content(connection, data.model_copy(update={"reminder_note": note}), version, changed_at)
    after = find_event(connection, data.id)
    assert after is not None, "it was just written"
    return Change(before, after)


def learn_events(connection: sa.Connection, new: Sequence[EventData]) -> list[EventFacts]:
    """Takes over events that orders tell of and nobody knows; returns those that are still new here.

    Each once, in a fixed order. Their contents are kept with keep_contents().
    """
    if not new:
        return []
    values = [
        {"id": data.id, **_event_values(data, data.version, data.reminders, data.reminder_note, True)}
        for data in new
    ]
    statement = insert(events).values(values).on_conflict_do_nothing(index_elements=[events.c.id])
    return [_facts(row) for row in connection.execute(statement.returning(events))]


def _event_values(
    data: EventData, version: int, reminders: list[int] | None, note: str, hearsay: bool
) -> dict[str, object]:
    return {
        "sequence": version,
        "name": data.name,
        "location": data.location,
        "timezone": data.timezone,
        "starts_at": data.starts_at,
        "ends_at": data.ends_at,
        "status": data.status,
        "organizer_id": data.organizer_id,
        "reminders": reminders,
        "note": note,
        "hearsay": hearsay,
        "deleted": False,
    }


def _keep_content(
    connection: sa.Connection, data: EventData, version: int, changed_at: datetime | None
) -> None:
    content = insert(event_contents).values(_content_values(data, version, changed_at))
    connection.execute(content.on_conflict_do_nothing())


def _content_values(data: EventData, version: int, changed_at: datetime | None) -> dict[str, object]:
    return {
        "event_id": data.id,
        "version": version,
        "name": data.name,
        "location": data.location,
        "timezone": data.timezone,
        "starts_at": data.starts_at,
        "ends_at": data.ends_at,
        "note": data.reminder_note,
        "status": data.status,
        "changed_at": changed_at,
    }


def keep_contents(connection: sa.Connection, contents: Sequence[EventData]) -> None:
    """Keeps what orders say of versions of events that nobody had told of; distinct, in a fixed order."""
    values = [_content_values(data, data.version, None) for data in contents]
    connection.execute(insert(event_contents).values(values).on_conflict_do_nothing())


def hold_events(connection: sa.Connection, ids: Collection[str]) -> dict[str, int]:
    """The versions of those events that are known, held against change until the commit."""
    held = sa.select(events.c.id, events.c.sequence).where(events.c.id.in_(sorted(ids)))
    rows = connection.execute(held.order_by(events.c.id).with_for_update(read=True))
    return {row.id: row.sequence for row in rows}


def remove_event(
    connection: sa.Connection, event_id: str, version: int, changed_at: datetime | None = None
) -> Change | None:
    """Marks an event as deleted; one that is not known yet leaves a tombstone for its late messages."""
    before = find_event(connection, event_id, lock=True)
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
    if connection.execute(statement).rowcount == 0:
        return None
    connection.execute(
        sa.text(
            "INSERT INTO event_contents (event_id, version, name, location, timezone, starts_at, ends_at,"
            " note, status, changed_at) SELECT id, sequence, name, location, timezone, starts_at, ends_at,"
            " note, 'cancelled', :changed_at FROM events WHERE id = :id ON CONFLICT DO NOTHING"
        ),
        {"id": event_id, "changed_at": changed_at},
    )
    after = find_event(connection, event_id)
    assert after is not None, "it was just written"
    return Change(before, after)


def apply_holder(connection: sa.Connection, data: UserData | HolderData, version: int) -> bool:
    """Takes over a person's name, address and language if newer."""
    values = {"sequence": version, "name": data.name, "email": data.email, "locale": data.locale}
    return _upsert_newer(connection, holders, data.id, {**values, "deleted": False})


def apply_holders(connection: sa.Connection, people: Sequence[HolderData]) -> None:
    """As apply_holder for many, each once."""
    connection.execute(
        sa.text(
            "INSERT INTO holders (id, sequence, name, email, locale) SELECT * FROM unnest("
            " CAST(:ids AS text[]), CAST(:versions AS bigint[]), CAST(:names AS text[]),"
            " CAST(:emails AS text[]), CAST(:locales AS text[]))"
            " ON CONFLICT (id) DO UPDATE SET sequence = excluded.sequence, name = excluded.name,"
            "  email = excluded.email, locale = excluded.locale, deleted = false"
            " WHERE holders.sequence < excluded.sequence"
        ),
        {
            "ids": [person.id for person in people],
            "versions": [person.version for person in people],
            "names": [person.name for person in people],
            "emails": [person.email for person in people],
            "locales": [person.locale for person in people],
        },
    )


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
    name: str,
    active: bool,
    version: int,
    known_version: int = 0,
    at: datetime | None = None,
) -> bool:
    """Notes who holds a ticket, or that nobody does any more.

    `known_version` is the event's at the order, `at` when it was made or given back.
    """
    values = {
        "event_id": event_id,
        "holder_id": holder_id,
        "code": code,
        "name": name,
        "active": active,
        "sequence": version,
        **({"known_version": known_version, "ordered_at": at} if active else {"gone_at": at}),
    }
    return _upsert_newer(connection, tickets, ticket_id, values)


# Ticket, event, holder, code, name, version, the event's version at the order, when it was made.
TicketRow = tuple[str, str, str, str, str, int, int, datetime | None]


def apply_tickets(connection: sa.Connection, rows: Sequence[TicketRow]) -> set[str]:
    """As apply_ticket for many that are held, each once; returns the ids of those that were taken."""
    names = ("ids", "events", "holders", "codes", "labels", "versions", "known", "at")
    taken = connection.execute(
        sa.text(
            "INSERT INTO tickets (id, event_id, holder_id, code, name, sequence, known_version, ordered_at,"
            "  active)"
            " SELECT *, true FROM unnest(CAST(:ids AS text[]), CAST(:events AS text[]),"
            "  CAST(:holders AS text[]), CAST(:codes AS text[]), CAST(:labels AS text[]),"
            "  CAST(:versions AS bigint[]), CAST(:known AS bigint[]), CAST(:at AS timestamptz[]))"
            " ON CONFLICT (id) DO UPDATE SET event_id = excluded.event_id, holder_id = excluded.holder_id,"
            "  code = excluded.code, name = excluded.name, sequence = excluded.sequence,"
            "  known_version = excluded.known_version, ordered_at = excluded.ordered_at, active = true"
            " WHERE tickets.sequence < excluded.sequence RETURNING id"
        ),
        {name: [row[n] for row in rows] for n, name in enumerate(names)},
    )
    return set(taken.scalars())


def holding_of(connection: sa.Connection, ticket_id: str) -> tuple[str, str] | None:
    """(event, holder) of a ticket that somebody holds now."""
    query = sa.select(tickets.c.event_id, tickets.c.holder_id)
    row = connection.execute(query.where(tickets.c.id == ticket_id, tickets.c.active)).one_or_none()
    return None if row is None else (row.event_id, row.holder_id)


def holdings_of(connection: sa.Connection, ticket_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    """ticket -> (event, holder), for those that somebody holds now."""
    query = sa.select(tickets.c.id, tickets.c.event_id, tickets.c.holder_id)
    rows = connection.execute(query.where(tickets.c.id.in_(ticket_ids), tickets.c.active))
    return {row.id: (row.event_id, row.holder_id) for row in rows}


def find_holder(connection: sa.Connection, holder_id: str) -> sa.Row | None:
    """A person's name, email and locale, None for one who is unknown or deleted."""
    known = (holders.c.id == holder_id) & ~holders.c.deleted
    return connection.execute(sa.select(holders).where(known)).one_or_none()


def find_contents(connection: sa.Connection, event_id: str) -> dict[int, Content]:
    """Every version of what people could be told of an event."""
    rows = connection.execute(sa.select(event_contents).where(event_contents.c.event_id == event_id))
    return {
        row.version: Content(
            version=row.version,
            name=row.name,
            location=row.location,
            timezone=row.timezone,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            note=row.note,
            status=row.status,
        )
        for row in rows
    }


def find_event(connection: sa.Connection, event_id: str, lock: bool = False) -> EventFacts | None:
    """The copy of an event, deleted ones too; `lock` holds it until the commit."""
    query = sa.select(events).where(events.c.id == event_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else _facts(row)


def find_events(connection: sa.Connection, ids: Sequence[str]) -> dict[str, EventFacts]:
    """The copies of many events, deleted ones too."""
    rows = connection.execute(sa.select(events).where(events.c.id.in_(ids)))
    return {row.id: _facts(row) for row in rows}


def _facts(row: sa.Row) -> EventFacts:
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
        ends_at=row.ends_at,
        reminders=None if row.reminders is None else tuple(row.reminders),
        note=row.note,
        hearsay=row.hearsay,
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
