"""Bodies in and out. Unknown fields are ignored: clients send back what they read."""

from decimal import Decimal
from typing import Any

from pydantic import BaseModel, Field

from services.tickets import model
from services.tickets.api.fields import Code, Id, Money, OrderStatus, PaymentStatus, Quota, Time, Title
from services.tickets.handlers.orders import OrderChange
from services.tickets.model import Order, Payment, TicketType
from shared.http import Pagination
from shared.times import read_time, write_time


class TicketTypeChange(BaseModel):
    """Any subset of a ticket type's fields; null or "" in sales_start or sales_end opens that side."""

    event_id: Id | None = None
    name: Title | None = None
    price: Money | None = None
    sales_start: Time | None = None
    sales_end: Time | None = None
    quota: Quota | None = None

    def fields(self, timezone: str) -> dict[str, Any]:
        """What was really given, but for the event; naive times are read in the event's zone."""
        given = self.model_dump(exclude_unset=True, exclude={"event_id"})
        for name in ("sales_start", "sales_end"):
            if name in given:
                text = (given[name] or "").strip()
                given[name] = read_time(name, text, timezone) if text else None
        keep = ("sales_start", "sales_end")
        return {name: value for name, value in given.items() if value is not None or name in keep}


class NewTicketType(TicketTypeChange):
    """A ticket type to be."""

    event_id: Id
    name: Title
    price: Money
    quota: Quota

    def fields(self, timezone: str) -> dict[str, Any]:
        return {"sales_start": None, "sales_end": None, **super().fields(timezone)}


class TicketTypeBody(BaseModel):
    """A ticket type. Times are RFC 3339 with the event's offset, "" when open; `event` is the event's id."""

    id: str
    event: str
    event_id: str
    name: str
    price: float
    sales_start: str
    sales_end: str
    quota: int
    available: int

    @classmethod
    def of(cls, kind: TicketType, timezone: str) -> "TicketTypeBody":
        return cls(
            id=kind.id,
            event=kind.event_id,
            event_id=kind.event_id,
            name=kind.name,
            price=_number(kind.price),
            sales_start=write_time(kind.sales_start, timezone),
            sales_end=write_time(kind.sales_end, timezone),
            quota=kind.quota,
            available=kind.available,
        )


class TicketTypePage(BaseModel):
    """One page of ticket types, newest first."""

    tickets: list[TicketTypeBody]
    pagination: Pagination


class NewOrder(BaseModel):
    """Which ticket, and for whom: the caller if nobody is named. With `notify` false, which only staff may
    say, the holder is sent no confirmation; he is reminded all the same.
    """

    ticket_id: Id
    user_id: Id | None = None
    notify: bool | None = Field(None, strict=True)


class OrderPatch(BaseModel):
    """Any subset of what an order says."""

    ticket_id: Id | None = None
    user_id: Id | None = None
    status: OrderStatus | None = None

    def change(self) -> OrderChange:
        """The change that this asks for."""
        return OrderChange(self.status, self.ticket_id, self.user_id)


class OrderBody(BaseModel):
    """An order; `ticket`, `user`, `event` and `checked_in_by` are ids, times RFC 3339 in UTC or ""."""

    id: str
    ticket: str
    user: str
    event: str
    status: str
    code: str
    ordered_at: str
    paid_at: str
    hold_until: str
    checked_in_at: str
    checked_in_by: str

    @classmethod
    def of(cls, order: Order) -> "OrderBody":
        return cls(
            id=order.id,
            ticket=order.ticket_type_id,
            user=order.user_id,
            event=order.event_id,
            status=order.status,
            code=order.code,
            ordered_at=write_time(order.ordered_at, "UTC"),
            paid_at=write_time(order.paid_at, "UTC"),
            hold_until=write_time(order.hold_until, "UTC"),
            checked_in_at=write_time(order.checked_in_at, "UTC"),
            checked_in_by=order.checked_in_by or "",
        )


class OrderPage(BaseModel):
    """One page of orders, newest first."""

    registrations: list[OrderBody]
    pagination: Pagination


class Scan(BaseModel):
    """A ticket's code at the door."""

    code: Code


class NewPayment(BaseModel):
    """A payment to be. Only staff may say `completed` or `refunded`."""

    registration_id: Id
    payment_method: Title = Field(examples=["transfer"])
    payment_status: PaymentStatus = model.PENDING
    amount_paid: Money


class PaymentChange(BaseModel):
    """Any subset of a payment's fields; it stays with its registration."""

    registration_id: Id | None = None
    payment_method: Title | None = Field(None, examples=["transfer"])
    payment_status: PaymentStatus | None = None
    amount_paid: Money | None = None

    def fields(self) -> dict[str, Any]:
        """What is to be changed."""
        given = {"method": self.payment_method, "status": self.payment_status, "amount": self.amount_paid}
        return {name: value for name, value in given.items() if value is not None}


class PaymentBody(BaseModel):
    """A payment; `registration`, `user` and `event` are ids."""

    id: str
    registration: str
    registration_id: str
    user: str
    event: str
    payment_method: str
    payment_status: str
    amount_paid: float
    created_at: str

    @classmethod
    def of(cls, payment: Payment) -> "PaymentBody":
        return cls(
            id=payment.id,
            registration=payment.order_id,
            registration_id=payment.order_id,
            user=payment.user_id,
            event=payment.event_id,
            payment_method=payment.method,
            payment_status=payment.status,
            amount_paid=_number(payment.amount),
            created_at=write_time(payment.created_at, "UTC"),
        )


class PaymentPage(BaseModel):
    """One page of payments, newest first."""

    payments: list[PaymentBody]
    pagination: Pagination


def _number(amount: Decimal) -> float:
    # JSON's number, at the last moment: twelve digits are exact in it.
    return float(amount)
