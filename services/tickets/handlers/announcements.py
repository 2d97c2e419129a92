"""The messages of this service, each with its subject's version."""

from decimal import Decimal

from services.tickets.model import Event, Order, TicketType, User
from shared.messages import Message
from shared.messages.catalogue import (
    EventData,
    HolderData,
    TicketData,
    TicketGone,
    TicketOrdered,
    TicketPaid,
)

SOURCE = "/tickets"
FREE = "free"


def ordered(
    order: Order,
    kind: TicketType,
    event: Event,
    holder: User,
    notify: bool = True,
    message_type: str = "ticket.ordered",
) -> Message:
    """`ticket.ordered` or `ticket.updated`: all that a reminder needs."""
    # Built without checking again: these copies were checked when they came, and a hot sale feels it.
    person = HolderData.model_construct(
        id=holder.id,
        version=holder.sequence,
        name=holder.name or holder.username,
        email=holder.email,
        locale=holder.locale,
    )
    ticket = TicketData.model_construct(id=order.id, code=order.code, name=kind.name)
    data = TicketOrdered.model_construct(
        ticket=ticket, holder=person, event=_event_data(event), notify=notify
    )
    return Message(message_type, order.id, order.version, data)


def _event_data(event: Event) -> EventData:
    return EventData.model_construct(
        id=event.id,
        version=event.sequence,
        name=event.name,
        starts_at=event.starts_at,
        ends_at=event.ends_at,
        timezone=event.timezone,
        location=event.location,
        status=event.status,
        quota=event.quota,
        organizer_id=event.organizer_id,
        reminders=event.reminders,
        reminder_note=event.reminder_note,
    )


def cancelled(order: Order) -> Message:
    """`ticket.cancelled`: it admits nobody any more."""
    gone = TicketGone(ticket_id=order.id, event_id=order.event_id, holder_id=order.user_id)
    return Message("ticket.cancelled", order.id, order.version, gone)


def paid(order: Order, amount: Decimal, method: str) -> Message:
    """`ticket.paid`"""
    data = TicketPaid(
        ticket_id=order.id,
        event_id=order.event_id,
        holder_id=order.user_id,
        amount=amount,
        method=method,
    )
    return Message("ticket.paid", order.id, order.version, data)
