"""Ticket types and orders, and what may be done with them; pure, `now` is an argument."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from services.tickets.errors import OrderRefused
from shared.auth import Principal

REGISTERED, CHECKED_IN, CANCELLED = "registered", "checked_in", "cancelled"
STATUSES = (REGISTERED, CHECKED_IN, CANCELLED)
ON_SALE = ("scheduled", "ongoing")

# Crockford's base 32: nothing that is misread at a door.
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


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
    """One ticket of one person."""

    id: str
    version: int
    ticket_type_id: str
    event_id: str
    user_id: str
    status: str
    code: str


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


def is_staff(caller: Principal, event: Event) -> bool:
    """Admins, and the event's own organizer."""
    return caller.is_admin or (caller.is_organizer and event.organizer_id == caller.id)


def check_order(event: Event, kind: TicketType, staff: bool, now: datetime) -> None:
    """Raises OrderRefused when no ticket can be sold; the sales window binds users, not staff."""
    if event.deleted or event.status not in ON_SALE:
        raise OrderRefused("The event is not on sale.")
    if event.starts_at <= now:
        raise OrderRefused("The event has started.")
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
    return status != CANCELLED


def new_code() -> str:
    """A code nobody guesses: 10 letters of Crockford's base 32, 50 bits."""
    return "".join(secrets.choice(_LETTERS) for _ in range(10))
