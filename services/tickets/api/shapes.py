"""Bodies in and out. Unknown fields are ignored: clients send back what they read."""

from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from services.tickets.model import Event, Order, TicketType
from shared.http import Pagination
from shared.http.fields import named, no_boolean, storable
from shared.times import read_time, write_time


def _uuid(text: str) -> str:
    # Also keeps everything but an id out of the path of a call to its owner.
    try:
        return str(UUID(text))
    except ValueError:
        raise ValueError("is not a UUID") from None


Text = Annotated[str, AfterValidator(storable)]
Name = Annotated[Text, AfterValidator(named), Field(max_length=200)]
Id = Annotated[str, AfterValidator(_uuid), Field(examples=["0198c6f0-0000-7000-8000-000000000000"])]
Time = Annotated[Text, Field(max_length=64, examples=["2030-12-31 19:00"])]
Price = Annotated[
    Decimal, BeforeValidator(no_boolean), Field(ge=0, max_digits=12, decimal_places=2, allow_inf_nan=False)
]
Quota = Annotated[int, BeforeValidator(no_boolean), Field(ge=0, le=2**31 - 1)]


class TicketTypeChange(BaseModel):
    """Any subset of a ticket type's fields; null or "" in sales_start or sales_end opens that side."""

    name: Name | None = None
    price: Price | None = None
    sales_start: Time | None = None
    sales_end: Time | None = None
    quota: Quota | None = None

    def fields(self, timezone: str) -> dict[str, Any]:
        """What was really given; naive times are read in the event's zone."""
        given = self.model_dump(exclude_unset=True, exclude={"event_id"})
        for name in ("sales_start", "sales_end"):
            if name in given:
                text = given[name]
                given[name] = read_time(name, text, timezone) if text else None
        keep = ("sales_start", "sales_end")
        return {name: value for name, value in given.items() if value is not None or name in keep}


class NewTicketType(TicketTypeChange):
    """A ticket type to be."""

    event_id: Id
    name: Name
    price: Price
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
            price=float(kind.price),
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
    """Which ticket, and for whom: the caller if nobody is named."""

    ticket_id: Id
    user_id: Id | None = None


class OrderChange(BaseModel):
    """An order's status."""

    status: Annotated[Text, Field(max_length=30)] | None = None


class OrderBody(BaseModel):
    """An order; `ticket` and `user` are ids."""

    id: str
    ticket: str
    user: str
    event: str
    status: str
    code: str

    @classmethod
    def of(cls, order: Order) -> "OrderBody":
        return cls(
            id=order.id,
            ticket=order.ticket_type_id,
            user=order.user_id,
            event=order.event_id,
            status=order.status,
            code=order.code,
        )


class OrderPage(BaseModel):
    """One page of orders, newest first."""

    registrations: list[OrderBody]
    pagination: Pagination


def zone_of(event: Event | None) -> str:
    """The zone times are shown in."""
    return event.timezone if event else "UTC"
