"""Every query on ticket types, orders and idempotency keys."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

from services.tickets.model import Order, TicketType
from services.tickets.tables import events, idempotency_keys, orders, ticket_types

_TYPE = [ticket_types.c[name] for name in TicketType.__dataclass_fields__]
_ORDER = [orders.c[name] for name in Order.__dataclass_fields__]
# In the place of what outbox rows said of a person who was deleted. An address under `.invalid` itself
# would be refused by the shape of the message, and make a dead letter of every reader's copy.
_GONE = {"name": "", "email": "deleted@invalid.example"}


def add_type(connection: sa.Connection, kind: TicketType) -> None:
    connection.execute(sa.insert(ticket_types).values(**asdict(kind)))


def save_type(connection: sa.Connection, kind: TicketType) -> None:
    connection.execute(sa.update(ticket_types).where(ticket_types.c.id == kind.id).values(**asdict(kind)))


def remove_type(connection: sa.Connection, type_id: str) -> None:
    """Deletes a type that nobody ordered; archives one that somebody did."""
    ordered = sa.exists().where(orders.c.ticket_type_id == type_id)
    if connection.scalar(sa.select(ordered)):
        connection.execute(sa.update(ticket_types).where(ticket_types.c.id == type_id).values(archived=True))
    else:
        connection.execute(sa.delete(ticket_types).where(ticket_types.c.id == type_id))


def find_type(connection: sa.Connection, type_id: str, lock: bool = False) -> TicketType | None:
    """A type that is not archived."""
    query = sa.select(*_TYPE).where(ticket_types.c.id == type_id, ~ticket_types.c.archived)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return TicketType(**row._mapping) if row else None


def list_types(
    connection: sa.Connection, event_id: str | None, page: int, page_size: int
) -> tuple[list[TicketType], int]:
    """(one page, how many there are); a page past the end is the last one."""
    where = [~ticket_types.c.archived]
    if event_id is not None:
        where.append(ticket_types.c.event_id == event_id)
    rows, total = _page(connection, sa.select(*_TYPE).where(*where), ticket_types.c.id, page, page_size)
    return [TicketType(**row._mapping) for row in rows], total


def add_order(connection: sa.Connection, order: Order) -> None:
    """Notes an order and takes its seat; the caller has locked the event and the type."""
    connection.execute(sa.insert(orders).values(**asdict(order)))
    move_seat(connection, order, 1)


def move_seat(connection: sa.Connection, order: Order, by: int) -> None:
    """Takes (1) or frees (-1) a seat of the event and of the type."""
    event = sa.update(events).where(events.c.id == order.event_id)
    connection.execute(event.values(sold=events.c.sold + by))
    kind = sa.update(ticket_types).where(ticket_types.c.id == order.ticket_type_id)
    connection.execute(kind.values(sold=ticket_types.c.sold + by))


def save_order(connection: sa.Connection, order: Order) -> None:
    connection.execute(sa.update(orders).where(orders.c.id == order.id).values(**asdict(order)))


def remove_order(connection: sa.Connection, order_id: str) -> None:
    connection.execute(sa.delete(orders).where(orders.c.id == order_id))


def find_order(connection: sa.Connection, order_id: str, lock: bool = False) -> Order | None:
    query = sa.select(*_ORDER).where(orders.c.id == order_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return Order(**row._mapping) if row else None


def list_orders(
    connection: sa.Connection, user_id: str | None, organizer_id: str | None, page: int, page_size: int
) -> tuple[list[Order], int]:
    """All orders; with `user_id` those of this person and of events by `organizer_id`."""
    query = sa.select(*_ORDER)
    if user_id is not None:
        own = orders.c.user_id == user_id
        if organizer_id is not None:
            organized = sa.select(events.c.id).where(events.c.organizer_id == organizer_id)
            own |= orders.c.event_id.in_(organized)
        query = query.where(own)
    rows, total = _page(connection, query, orders.c.id, page, page_size)
    return [Order(**row._mapping) for row in rows], total


def _page(
    connection: sa.Connection, query: sa.Select, newest: sa.Column, page: int, page_size: int
) -> tuple[Sequence[sa.Row], int]:
    total = connection.scalar(sa.select(sa.func.count()).select_from(query.subquery())) or 0
    start = min(page - 1, max(0, (total - 1) // page_size)) * page_size
    # Ids are UUIDv7: their order is the order of making.
    return connection.execute(query.order_by(newest.desc()).limit(page_size).offset(start)).all(), total


def begin_key(connection: sa.Connection, caller: str, path: str, key: str, request: str) -> sa.Row | None:
    """Notes a key; None if it is new, else its row. Waits for another request with the same key."""
    statement = insert(idempotency_keys).values(caller=caller, path=path, key=key, request=request)
    if connection.execute(statement.on_conflict_do_nothing()).rowcount:
        return None
    keys = idempotency_keys.c
    return connection.execute(
        sa.select(keys.request, keys.answer).where(keys.caller == caller, keys.path == path, keys.key == key)
    ).one()


def finish_key(connection: sa.Connection, caller: str, path: str, key: str, answer: dict[str, Any]) -> None:
    keys = idempotency_keys.c
    connection.execute(
        sa.update(idempotency_keys)
        .where(keys.caller == caller, keys.path == path, keys.key == key)
        .values(answer=answer)
    )


def forget_holder(connection: sa.Connection, user_id: str) -> None:
    """Takes a person's name and address out of the messages that told of him."""
    statement = sa.text(
        "UPDATE outbox SET envelope = jsonb_set(envelope, '{data,holder}',"
        " (envelope #> '{data,holder}') || :gone) WHERE type IN ('ticket.ordered', 'ticket.updated')"
        " AND envelope #>> '{data,holder,id}' = :id"
    )
    connection.execute(
        statement.bindparams(sa.bindparam("gone", type_=JSONB)), {"gone": _GONE, "id": user_id}
    )
