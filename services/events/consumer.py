"""The door for messages: which handler takes which type."""

from services.events import handlers
from shared.inbox import Handler

HANDLERS: dict[str, Handler] = {
    "user.registered": handlers.user_changed,
    "user.updated": handlers.user_changed,
    "user.deleted": handlers.user_deleted,
}
