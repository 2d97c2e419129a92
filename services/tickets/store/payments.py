"""Queries on payments."""

from dataclasses import asdict

import sqlalchemy as sa

from services.tickets.model import COMPLETED, Payment
from services.tickets.store.orders import only_own
from services.tickets.store.pages import Page, Wanted, read_page
from services.tickets.tables import payments
from shared.auth import Principal

_PAYMENT = [payments.c[name] for name in Payment.__dataclass_fields__]


def add_payment(connection: sa.Connection, payment: Payment) -> None:
    """Stores a new payment."""
    connection.execute(sa.insert(payments).values(**asdict(payment)))


def save_payment(connection: sa.Connection, payment: Payment) -> None:
    """Stores a changed payment; the caller has locked its order."""
    connection.execute(sa.update(payments).where(payments.c.id == payment.id).values(**asdict(payment)))


def remove_payment(connection: sa.Connection, payment_id: str) -> None:
    """Deletes a payment; the caller has locked its order."""
    connection.execute(sa.delete(payments).where(payments.c.id == payment_id))


def find_payment(connection: sa.Connection, payment_id: str, lock: bool = False) -> Payment | None:
    """A payment; with `lock` nobody else changes it until the commit."""
    query = sa.select(*_PAYMENT).where(payments.c.id == payment_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return Payment(**row._mapping) if row else None


def is_paid(connection: sa.Connection, order_id: str) -> bool:
    """Whether an order has a completed payment."""
    completed = sa.exists().where(payments.c.order_id == order_id, payments.c.status == COMPLETED)
    return bool(connection.scalar(sa.select(completed)))


def list_payments(connection: sa.Connection, caller: Principal, wanted: Wanted) -> Page[Payment]:
    """All payments for admins, else the caller's own and, for organizers, those of their events."""
    query = only_own(sa.select(*_PAYMENT), payments, caller)
    return read_page(connection, query, payments.c.id, wanted, Payment)
