"""Queries on orders."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa

from services.tickets.model import Order
from services.tickets.store.pages import Page, Wanted, read_page
from services.tickets.tables import events, orders
from shared.auth import Principal

_ORDER = [orders.c[name] for name in Order.__dataclass_fields__]


def add_orders(connection: sa.Connection, placed: Sequence[Order]) -> None:
    """Notes orders; their seats are counted by move_seats."""
    connection.execute(sa.insert(orders), [asdict(order) for order in placed])


def save_order(connection: sa.Connection, order: Order) -> None:
    """Stores a changed order, which the caller has locked."""
    connection.execute(sa.update(orders).where(orders.c.id == order.id).values(**asdict(order)))


def remove_order(connection: sa.Connection, order_id: str) -> None:
    """Deletes an order, which the caller has locked; its payments stay."""
    connection.execute(sa.delete(orders).where(orders.c.id == order_id))


def find_order(connection: sa.Connection, order_id: str, lock: bool = False) -> Order | None:
    """An order; with `lock` nobody else changes it until the commit."""
    return _find(connection, orders.c.id == order_id, lock)


def lock_order_with_code(connection: sa.Connection, code: str) -> Order | None:
    """The order that a ticket's code stands for."""
    return _find(connection, orders.c.code == code, lock=True)


def _find(connection: sa.Connection, where: sa.ColumnElement[bool], lock: bool) -> Order | None:
    query = sa.select(*_ORDER).where(where)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return Order(**row._mapping) if row else None


def list_orders(connection: sa.Connection, caller: Principal, wanted: Wanted) -> Page[Order]:
    """All orders for admins, else the caller's own and, for organizers, those of their events."""
    query = only_own(sa.select(*_ORDER), orders, caller)
    return read_page(connection, query, orders.c.id, wanted, Order)


def only_own(query: sa.Select, table: sa.Table, caller: Principal) -> sa.Select:
    """Leaves only rows whose user_id or event_id makes them the caller's business."""
    if caller.is_admin:
        return query
    own = table.c.user_id == caller.id
    if caller.is_organizer:
        organized = sa.select(events.c.id).where(events.c.organizer_id == caller.id)
        own |= table.c.event_id.in_(organized)
    return query.where(own)


def claim_expired_holds(connection: sa.Connection, limit: int) -> list[Order]:
    """Orders whose hold is over by the database's clock, and which nobody else has in hand now."""
    rows = connection.execute(
        sa.select(*_ORDER)
        .where(orders.c.hold_until <= sa.func.clock_timestamp())
        .order_by(orders.c.hold_until)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [Order(**row._mapping) for row in rows]


def database_now(connection: sa.Connection) -> datetime:
    """The database's clock."""
    return connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
