"""Offers under lock, and the counts of what is sold.

Locks are always taken in this order: idempotency key, holder, order, event, ticket type; several of one kind
in the order of their ids. So nothing deadlocks, and the rows that everybody wants are held last and shortest.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from services.tickets.model import Event, Order, TicketType
from services.tickets.tables import events, ticket_types

_KIND = tuple(TicketType.__dataclass_fields__)
_EVENT = tuple(Event.__dataclass_fields__)
_LOCK_OFFERS = (
    sa.select(sa.func.clock_timestamp(), *(ticket_types.c[n] for n in _KIND), *(events.c[n] for n in _EVENT))
    .join_from(ticket_types, events, events.c.id == ticket_types.c.event_id)
    .where(ticket_types.c.id.in_(sa.bindparam("ids", expanding=True)), ~ticket_types.c.archived)
    .order_by(events.c.id, ticket_types.c.id)
    .with_for_update(of=[events, ticket_types])
)


@dataclass(frozen=True, slots=True)
class Offer:
    """A ticket type and its event, locked at `now` by the database's clock."""

    now: datetime
    kind: TicketType
    event: Event


def lock_offers(connection: sa.Connection, type_ids: Collection[str]) -> dict[str, Offer]:
    """The types on offer among these, by id; until the commit nobody else sells them or changes them."""
    rows = connection.execute(_LOCK_OFFERS, {"ids": sorted(set(type_ids))})
    after = len(_KIND) + 1
    offers = (Offer(row[0], TicketType(*row[1:after]), Event(*row[after:])) for row in rows)
    return {offer.kind.id: offer for offer in offers}


def lock_counts(connection: sa.Connection, placed: Collection[Order]) -> None:
    """Locks the events and types of these orders, for move_seats."""
    for table, ids in (
        (events, {order.event_id for order in placed}),
        (ticket_types, {order.ticket_type_id for order in placed}),
    ):
        query = sa.select(table.c.id).where(table.c.id.in_(ids)).order_by(table.c.id)
        connection.execute(query.with_for_update())


def move_seats(connection: sa.Connection, placed: Collection[Order], by: int) -> None:
    """Takes (1) or frees (-1) a seat for each order; for several the caller has locked the rows."""
    _count(connection, events, Counter(order.event_id for order in placed), by)
    _count(connection, ticket_types, Counter(order.ticket_type_id for order in placed), by)


def _count(connection: sa.Connection, table: sa.Table, seats: Mapping[str, int], by: int) -> None:
    connection.execute(
        sa.text(
            f"UPDATE {table.name} AS here SET sold = here.sold + more.n"
            " FROM unnest(CAST(:ids AS text[]), CAST(:counts AS int[])) AS more (id, n)"
            " WHERE here.id = more.id"
        ),
        {"ids": list(seats), "counts": [count * by for count in seats.values()]},
    )
