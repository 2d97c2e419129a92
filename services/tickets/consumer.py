"""The door for messages: which handler takes which type."""

from services.tickets import handlers
from shared.inbox import Handler

HANDLERS: dict[str, Handler] = {
    "user.registered": handlers.user_changed,
    "user.updated": handlers.user_changed,
    "user.deleted": handlers.user_deleted,
    "event.scheduled": handlers.event_changed,
    "event.updated": handlers.event_changed,
    "event.cancelled": handlers.event_changed,
    "event.deleted": handlers.event_deleted,
}
