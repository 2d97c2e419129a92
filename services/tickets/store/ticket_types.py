"""Queries on ticket types."""

from dataclasses import asdict
from decimal import Decimal

import sqlalchemy as sa

from services.tickets.model import TicketType
from services.tickets.store.pages import Page, Wanted, read_page
from services.tickets.tables import events, orders, ticket_types
from shared.auth import Principal

COLUMNS = [ticket_types.c[name] for name in TicketType.__dataclass_fields__]


def add_type(connection: sa.Connection, kind: TicketType) -> None:
    """Stores a new type."""
    connection.execute(sa.insert(ticket_types).values(**asdict(kind)))


def save_type(connection: sa.Connection, kind: TicketType) -> None:
    """Stores a changed type, which the caller has locked."""
    connection.execute(sa.update(ticket_types).where(ticket_types.c.id == kind.id).values(**asdict(kind)))


def is_ordered(connection: sa.Connection, type_id: str) -> bool:
    """Whether there is an order of this type, whatever became of it."""
    return bool(connection.scalar(sa.select(sa.exists().where(orders.c.ticket_type_id == type_id))))


def remove_type(connection: sa.Connection, type_id: str) -> None:
    """Deletes a type that nobody ordered; archives one that somebody did. The caller has locked it."""
    here = ticket_types.c.id == type_id
    if is_ordered(connection, type_id):
        connection.execute(sa.update(ticket_types).where(here).values(archived=True))
    else:
        connection.execute(sa.delete(ticket_types).where(here))


def find_type(
    connection: sa.Connection, type_id: str, lock: bool = False, archived: bool = False
) -> TicketType | None:
    """A type; one that is archived only with `archived`."""
    query = sa.select(*COLUMNS).where(ticket_types.c.id == type_id)
    if not archived:
        query = query.where(~ticket_types.c.archived)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return TicketType(**row._mapping) if row else None


def price_of(connection: sa.Connection, type_id: str) -> Decimal:
    """The price of a type, archived ones too."""
    return connection.execute(
        sa.select(ticket_types.c.price).where(ticket_types.c.id == type_id)
    ).scalar_one()


def list_types(
    connection: sa.Connection, event_id: str | None, caller: Principal | None, wanted: Wanted
) -> Page[TicketType]:
    """The types that the caller may see, those of one event with `event_id`."""
    query = sa.select(*COLUMNS).where(~ticket_types.c.archived)
    if event_id is not None:
        query = query.where(ticket_types.c.event_id == event_id)
    if caller is None or not caller.is_admin:
        query = query.where(~_hidden(caller))
    return read_page(connection, query, ticket_types.c.id, wanted, TicketType)


def _hidden(caller: Principal | None) -> sa.ColumnElement[bool]:
    # As model.is_shown. A type whose event was never told of is shown.
    hidden = events.c.deleted | (events.c.status == "draft")
    if caller is not None and caller.is_organizer:
        hidden &= events.c.organizer_id.is_distinct_from(caller.id)
    return sa.exists().where(events.c.id == ticket_types.c.event_id, hidden)
