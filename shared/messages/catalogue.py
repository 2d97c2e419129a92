"""Every message type: what it carries and who takes it."""

from decimal import Decimal
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, PlainSerializer, ValidationError

from shared.messages.emails import normalized
from shared.messages.envelope import Envelope, MessageRefused, describe


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # "America" is a folder: IsADirectoryError
        raise ValueError(f"{name!r} is not an IANA time zone") from None
    return name


def _storable(text: str) -> str:
    # PostgreSQL's text cannot hold U+0000: refused here it is a reason, there it is an error.
    if "\x00" in text:
        raise ValueError("contains U+0000")
    return text


Id = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_storable)]
Text = Annotated[str, Field(max_length=2000), AfterValidator(_storable)]
Zone = Annotated[str, Field(max_length=64), AfterValidator(_zone)]
Email = Annotated[str, Field(max_length=320), AfterValidator(normalized)]
Version = Annotated[int, Field(ge=0, le=2**62)]
# Minutes before the start, up to 30 days.
LeadTimes = Annotated[list[Annotated[int, Field(ge=1, le=60 * 24 * 30)]], Field(max_length=10)]


class UserData(BaseModel):
    """A person as accounts knows him. `version` counts his changes."""

    id: Id
    version: Version = 0
    username: Text = ""
    name: Text = ""
    email: Email
    locale: Annotated[Text, Field(max_length=35)] = "en"


class UserGone(BaseModel):
    """A person who was deleted: nothing but his id is left."""

    id: Id


class EventData(BaseModel):
    """An event; `starts_at` is an instant, `timezone` where people will read it.

    `reminders` are lead times in minutes; absent means the reminding service's own default. `reminder_note`
    are the organizer's own words to holders, plain text.
    """

    id: Id
    version: Version = 0
    name: Text
    starts_at: AwareDatetime
    ends_at: AwareDatetime | None = None
    timezone: Zone = "UTC"
    location: Text = ""
    status: Annotated[str, Field(pattern="^(draft|scheduled|ongoing|completed|cancelled)$")] = "scheduled"
    quota: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    organizer_id: Id | None = None
    reminders: LeadTimes | None = None
    reminder_note: Text = ""


class EventGone(BaseModel):
    """An event that was deleted."""

    id: Id


class TicketData(BaseModel):
    """One ticket of one order."""

    id: Id
    code: Text = ""
    name: Text = ""


class HolderData(BaseModel):
    """Who will be there, and where to write to him."""

    id: Id
    version: Version = 0
    name: Text = ""
    email: Email
    locale: Annotated[Text, Field(max_length=35)] = "en"


class TicketOrdered(BaseModel):
    """All that a reminder needs, so that this one message alone gets its reminder.

    `notify` false leaves the confirmation of the order out (imports), never the reminder.
    """

    ticket: TicketData
    holder: HolderData
    event: EventData
    notify: bool = True


class TicketGone(BaseModel):
    """A ticket that no longer admits anybody."""

    ticket_id: Id
    event_id: Id
    holder_id: Id


# Exact inside, a number in JSON.
Amount = Annotated[
    Decimal, Field(ge=0, allow_inf_nan=False), PlainSerializer(float, return_type=float, when_used="json")
]


class TicketPaid(BaseModel):
    """A payment for a ticket was completed, or the ticket is free (`amount` 0)."""

    ticket_id: Id
    event_id: Id
    holder_id: Id
    amount: Amount = Decimal(0)
    method: Text = ""


SHAPES: dict[str, type[BaseModel]] = {
    "user.registered": UserData,
    "user.updated": UserData,
    "user.deleted": UserGone,
    "event.scheduled": EventData,
    "event.updated": EventData,
    "event.cancelled": EventData,
    "event.deleted": EventGone,
    "ticket.ordered": TicketOrdered,
    "ticket.updated": TicketOrdered,
    "ticket.cancelled": TicketGone,
    "ticket.paid": TicketPaid,
}

# A publisher's messages all go to the same queues: a gap in its feed positions then means a lost message.
CONSUMERS: dict[str, tuple[str, ...]] = {
    "user": ("events", "tickets", "notifications"),
    "event": ("tickets", "notifications"),
    "ticket": ("notifications",),
}


def consumers_of(message_type: str) -> tuple[str, ...]:
    """The queues a message of this type is put on."""
    return CONSUMERS[message_type.partition(".")[0]]


def parse(envelope: Envelope) -> BaseModel:
    """The typed data of a message; raises MessageRefused for an unknown type or a wrong shape."""
    shape = SHAPES.get(envelope.type)
    if shape is None:
        raise MessageRefused(f"unknown message type {envelope.type!r}")
    try:
        return shape.model_validate(envelope.data)
    except ValidationError as error:
        raise MessageRefused(f"{envelope.type}: {describe(error)}") from None
