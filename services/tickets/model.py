"""Ticket types, orders and payments, and what may be done with them; pure, `now` is an argument."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from services.tickets.errors import NotAllowed, NotOnSale, OrderRefused
from shared.auth import Principal

REGISTERED, CHECKED_IN, CANCELLED, EXPIRED = "registered", "checked_in", "cancelled", "expired"
# What a caller may give an order; only the sweep lets one expire.
STATUSES = (REGISTERED, CHECKED_IN, CANCELLED)
SEATED = (REGISTERED, CHECKED_IN)
PENDING, COMPLETED, FAILED, REFUNDED = "pending", "completed", "failed", "refunded"
PAYMENT_STATUSES = (PENDING, COMPLETED, FAILED, REFUNDED)
ON_SALE = ("scheduled", "ongoing")


@dataclass(frozen=True, slots=True)
class Event:
    """The copy of an event, and how many of its seats are taken. A quota of None is no limit."""

    id: str
    sequence: int
    name: str
    location: str
    timezone: str
    starts_at: datetime
    ends_at: datetime | None
    status: str
    quota: int | None
    organizer_id: str | None
    reminders: list[int] | None
    reminder_note: str
    deleted: bool
    sold: int


@dataclass(frozen=True, slots=True)
class TicketType:
    """What is sold. None in sales_start or sales_end: open on that side."""

    id: str
    event_id: str
    name: str
    price: Decimal
    sales_start: datetime | None
    sales_end: datetime | None
    quota: int
    sold: int
    archived: bool

    @property
    def available(self) -> int:
        return max(0, self.quota - self.sold)


@dataclass(frozen=True, slots=True)
class Order:
    """One ticket of one person. With `hold_until` its seat is held only so long, unless it is paid."""

    id: str
    version: int
    ticket_type_id: str
    event_id: str
    user_id: str
    status: str
    code: str
    ordered_at: datetime
    paid_at: datetime | None = None
    hold_until: datetime | None = None
    checked_in_at: datetime | None = None
    checked_in_by: str | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    """Money for an order, or the promise of it."""

    id: str
    order_id: str
    event_id: str
    user_id: str
    method: str
    status: str
    amount: Decimal
    created_at: datetime


@dataclass(frozen=True, slots=True)
class User:
    """The copy of a person."""

    id: str
    sequence: int
    username: str
    name: str
    email: str
    locale: str
    deleted: bool


def is_staff(caller: Principal | None, event: Event) -> bool:
    """Admins, and the event's own organizer."""
    return caller is not None and (
        caller.is_admin or (caller.is_organizer and event.organizer_id == caller.id)
    )


def is_shown(event: Event, caller: Principal | None) -> bool:
    """What is sold for a draft or a deleted event is there only for staff."""
    return not (event.deleted or event.status == "draft") or is_staff(caller, event)


def check_order(event: Event, kind: TicketType, staff: bool, now: datetime) -> None:
    """Raises OrderRefused when no ticket can be sold; the sales window binds users, not staff."""
    if event.deleted:
        raise OrderRefused("The event is not on sale.")
    if event.status not in ON_SALE:
        raise NotOnSale(event.id, "The event is not on sale.")
    if event.starts_at <= now:
        raise NotOnSale(event.id, "The event has started.")
    if not staff and kind.sales_start is not None and now < kind.sales_start:
        raise OrderRefused("The sale has not begun.")
    if not staff and kind.sales_end is not None and now >= kind.sales_end:
        raise OrderRefused("The sale has ended.")
    check_seats(event, kind)


def check_seats(event: Event, kind: TicketType) -> None:
    """Raises OrderRefused when the type's quota or the event's has no seat left."""
    if kind.sold >= kind.quota:
        raise OrderRefused("This ticket is sold out.")
    if event.quota is not None and event.sold >= event.quota:
        raise OrderRefused("The event is sold out.")


def takes_seat(status: str) -> bool:
    """Whether an order with this status holds a seat."""
    return status in SEATED


def check_admits(order: Order) -> None:
    """Raises OrderRefused for a ticket that admits nobody any more."""
    if not takes_seat(order.status):
        raise OrderRefused(f"This ticket is {order.status}.")


def check_payment(status: str, order: Order | None, staff: bool, now: datetime) -> None:
    """Raises NotAllowed or OrderRefused when a payment may not have this status; None: the order was deleted.

    Money is expected or taken only for a seat that is held; `failed` and `refunded` may be noted always.
    """
    if not staff and status in (COMPLETED, REFUNDED):
        raise NotAllowed(f"Only staff of the event set a payment to {status}.")
    if status in (FAILED, REFUNDED):
        return
    if order is None:
        raise OrderRefused("The registration was deleted.")
    if not takes_seat(order.status):
        raise OrderRefused(f"The registration is {order.status}.")
    if order.hold_until is not None and order.hold_until <= now:
        raise OrderRefused("The registration has expired: it was not paid in time.")
