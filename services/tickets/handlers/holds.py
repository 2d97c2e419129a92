"""What the clock does to orders that were not paid."""

from dataclasses import replace

import sqlalchemy as sa

from services.tickets import model
from services.tickets.handlers import announcements
from services.tickets.store import orders as order_rows
from services.tickets.store import seats
from shared.outbox import publish


def expire_holds(connection: sa.Connection, limit: int) -> int:
    """Lets up to `limit` orders expire whose hold is over, and frees their seats; returns how many."""
    claimed = order_rows.claim_expired_holds(connection, limit)
    expired = [
        replace(order, status=model.EXPIRED, hold_until=None, version=order.version + 1) for order in claimed
    ]
    if expired:
        for order in expired:
            order_rows.save_order(connection, order)
        seats.lock_counts(connection, expired)
        seats.move_seats(connection, expired, -1)
        publish(connection, announcements.SOURCE, [announcements.cancelled(order) for order in expired])
    return len(expired)
