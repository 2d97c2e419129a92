"""What other services tell: copies of events and people."""

import sqlalchemy as sa

from services.tickets import projections
from services.tickets.store import forgetting
from shared.messages import Envelope
from shared.messages.catalogue import EventData, EventGone, UserData, UserGone


def event_changed(connection: sa.Connection, data: EventData, envelope: Envelope) -> None:
    """`event.scheduled`, `event.updated`, `event.cancelled`"""
    if envelope.type == "event.cancelled":
        data = data.model_copy(update={"status": "cancelled"})
    projections.apply_event(connection, data, max(envelope.sequence, data.version))


def event_deleted(connection: sa.Connection, data: EventGone, envelope: Envelope) -> None:
    """`event.deleted`"""
    projections.remove_event(connection, data.id)


def user_changed(connection: sa.Connection, data: UserData, envelope: Envelope) -> None:
    """`user.registered`, `user.updated`"""
    projections.apply_user(connection, data, max(envelope.sequence, data.version))


def user_deleted(connection: sa.Connection, data: UserGone, envelope: Envelope) -> None:
    """`user.deleted`: his orders and payments stay, his name and address go."""
    known = projections.find_user(connection, data.id)
    projections.remove_user(connection, data.id)
    forgetting.clean_outbox(connection, data.id)
    forgetting.drop_dead_letters(connection, data.id, known.email if known else "")
