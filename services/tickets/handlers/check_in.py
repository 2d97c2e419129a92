"""At the door."""

from dataclasses import replace

import sqlalchemy as sa

from services.tickets import codes, model, projections
from services.tickets.errors import AlreadyCheckedIn, NotAllowed, NotFoundHere
from services.tickets.handlers.access import is_staff_of
from services.tickets.model import Order
from services.tickets.store import orders as store
from shared.auth import Principal


def check_in(connection: sa.Connection, text: str, caller: Principal) -> Order:
    """Lets the holder of a code in, once; the order's lock decides between scans at the same moment."""
    if not (caller.is_admin or caller.is_organizer):
        raise NotAllowed("Only staff of the event check tickets in.")
    code = codes.read_code(text)
    order = store.lock_order_with_code(connection, code) if code else None
    if order is None:
        raise NotFoundHere("There is no ticket with this code.")
    if not is_staff_of(connection, order.event_id, caller):
        raise NotAllowed("Only staff of the event check tickets in.")
    if order.status == model.CHECKED_IN:
        by = projections.find_user(connection, order.checked_in_by) if order.checked_in_by else None
        name = (by.name or by.username) if by else ""
        raise AlreadyCheckedIn(order.checked_in_at, order.checked_in_by, name)
    model.check_admits(order)
    now = store.database_now(connection)
    order = replace(
        order,
        status=model.CHECKED_IN,
        checked_in_at=now,
        checked_in_by=caller.id,
        version=order.version + 1,
    )
    store.save_order(connection, order)
    return order
