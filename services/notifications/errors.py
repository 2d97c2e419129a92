"""What notifications refuses; one root."""


class NotificationsError(Exception):
    """Something asked of this service cannot be done."""


class UnknownEvent(NotificationsError):
    """Nobody knows this event."""


class EventOver(NotificationsError):
    """The event has started or is cancelled: there is nothing to be reminded of."""


class UnknownRun(NotificationsError):
    """There is no run with this id."""


class UnknownDelivery(NotificationsError):
    """There is no delivery with this id that may be tried again."""


class RunRequestRefused(NotificationsError):
    """A run was asked for in a way that makes no sense."""


class MailServerAway(NotificationsError):
    """No connection to the mail server, or it wants no mail now; nothing was handed over."""


class LinkRefused(NotificationsError):
    """A link in a mail that this system did not make."""


class UnknownAddress(NotificationsError):
    """An address that is not on the suppression list."""


class UnknownPause(NotificationsError):
    """There is no campaign that rests."""
