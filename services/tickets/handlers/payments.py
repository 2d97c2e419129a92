"""Commands on payments, and what they do to the order."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from services.tickets import model
from services.tickets.errors import FieldInvalid, NotAllowed, NotFoundHere
from services.tickets.handlers import announcements
from services.tickets.handlers.access import get_order, is_staff_of
from services.tickets.handlers.orders import let_go
from services.tickets.model import Order, Payment
from services.tickets.store import orders as order_rows
from services.tickets.store import payments as payment_rows
from services.tickets.store import ticket_types as type_rows
from shared.auth import Principal
from shared.messages import new_id
from shared.outbox import publish


def create_payment(
    connection: sa.Connection, order_id: str, method: str, status: str, amount: Decimal, caller: Principal
) -> Payment:
    """Notes a payment for an order that the caller may see."""
    order = get_order(connection, order_id, caller, lock=True)
    now = order_rows.database_now(connection)
    model.check_payment(status, order, is_staff_of(connection, order.event_id, caller), now)
    payment = Payment(
        id=new_id(),
        order_id=order.id,
        event_id=order.event_id,
        user_id=order.user_id,
        method=method,
        status=status,
        amount=amount,
        created_at=now,
    )
    payment_rows.add_payment(connection, payment)
    _settle(connection, order, payment)
    return payment


def get_payment(connection: sa.Connection, payment_id: str, caller: Principal) -> Payment:
    """A payment the caller may see: staff, and whose order it is for."""
    payment = payment_rows.find_payment(connection, payment_id)
    if payment is None:
        raise NotFoundHere("There is no such payment.")
    if payment.user_id != caller.id and not is_staff_of(connection, payment.event_id, caller):
        raise NotAllowed("Only its holder and staff see a payment.")
    return payment


def change_payment(
    connection: sa.Connection,
    payment_id: str,
    fields: dict[str, Any],
    order_id: str | None,
    caller: Principal,
) -> Payment:
    """Staff change any subset of the fields."""
    payment, order = _lock(connection, payment_id, caller)
    if order_id not in (None, payment.order_id):
        raise FieldInvalid("registration_id", "a payment stays with its registration")
    changed = replace(payment, **fields)
    if changed.status != payment.status:
        now = order_rows.database_now(connection)
        model.check_payment(changed.status, order, True, now)
    payment_rows.save_payment(connection, changed)
    if order is not None and changed.status != payment.status:
        _settle(connection, order, changed)
    return changed


def delete_payment(connection: sa.Connection, payment_id: str, caller: Principal) -> None:
    """Staff delete a payment; without a completed one the order is unpaid again."""
    _, order = _lock(connection, payment_id, caller)
    payment_rows.remove_payment(connection, payment_id)
    if order is not None:
        _note_unpaid(connection, order)


def _lock(connection: sa.Connection, payment_id: str, caller: Principal) -> tuple[Payment, Order | None]:
    """A payment and its order, if that is there still; order before payment, as everybody locks."""
    seen = get_payment(connection, payment_id, caller)
    if not is_staff_of(connection, seen.event_id, caller):
        raise NotAllowed("Only staff of the event change payments.")
    order = order_rows.find_order(connection, seen.order_id, lock=True)
    payment = payment_rows.find_payment(connection, payment_id, lock=True)
    if payment is None:
        raise NotFoundHere("There is no such payment.")
    return payment, order


def _settle(connection: sa.Connection, order: Order, payment: Payment) -> None:
    """What a payment's new status means for its order, which is locked."""
    if payment.status == model.COMPLETED:
        _note_paid(connection, order, payment)
        return
    order = _note_unpaid(connection, order)
    if payment.status == model.REFUNDED and model.takes_seat(order.status):
        # Who paid twice and gets one payment back keeps his ticket.
        if payment_rows.is_paid(connection, order.id):
            return
        let_go(connection, replace(order, status=model.CANCELLED, checked_in_at=None, checked_in_by=None))


def _note_paid(connection: sa.Connection, order: Order, payment: Payment) -> None:
    if order.paid_at is None:
        now = order_rows.database_now(connection)
        order = replace(order, paid_at=now, hold_until=None, version=order.version + 1)
        order_rows.save_order(connection, order)
        told = announcements.paid(order, payment.amount, payment.method)
        publish(connection, announcements.SOURCE, [told])


def _note_unpaid(connection: sa.Connection, order: Order) -> Order:
    if order.paid_at is None or payment_rows.is_paid(connection, order.id):
        return order
    if type_rows.price_of(connection, order.ticket_type_id) == 0:
        return order
    order = replace(order, paid_at=None)
    order_rows.save_order(connection, order)
    return order
