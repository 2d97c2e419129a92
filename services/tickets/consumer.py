"""The door for messages: which handler takes which type."""

from services.tickets.handlers import messages
from shared.inbox import Handler

HANDLERS: dict[str, Handler] = {
    "user.registered": messages.user_changed,
    "user.updated": messages.user_changed,
    "user.deleted": messages.user_deleted,
    "event.scheduled": messages.event_changed,
    "event.updated": messages.event_changed,
    "event.cancelled": messages.event_changed,
    "event.deleted": messages.event_deleted,
}
