"""What tickets refuse; one root."""

from datetime import datetime


class TicketsError(Exception):
    """Something asked of this service cannot be done."""


class NotFoundHere(TicketsError):
    """There is no such ticket type, order, payment or event, or not for this caller."""


class NotAllowed(TicketsError):
    """The caller's role does not allow it."""


class OrderRefused(TicketsError):
    """Sold out, started, cancelled, expired or not on sale: the state does not allow it."""


class KeyReused(TicketsError):
    """An Idempotency-Key came again with another request."""


class OwnerUnreachable(TicketsError):
    """The owner of a fact cannot be asked now, and without it this cannot be decided."""


class FieldInvalid(TicketsError):
    """One field has a value that cannot be."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class HolderUnknown(FieldInvalid):
    """There is no copy of this person; accounts may know him."""

    def __init__(self, user_id: str) -> None:
        super().__init__("user_id", "there is no such user")
        self.user_id = user_id


class EventUnknown(NotFoundHere):
    """There is no copy of this event; events may know it."""

    def __init__(self, event_id: str) -> None:
        super().__init__("There is no such event.")
        self.event_id = event_id


class NotOnSale(OrderRefused):
    """The copy of the event says that nothing is sold; the event itself may say otherwise by now."""

    def __init__(self, event_id: str, problem: str) -> None:
        super().__init__(problem)
        self.event_id = event_id


class AlreadyCheckedIn(OrderRefused):
    """Somebody came in with this ticket; `at` is None for one that was imported so."""

    def __init__(self, at: datetime | None, by: str | None, by_name: str) -> None:
        when = f" at {at.isoformat(timespec='seconds')}" if at else ""
        who = f" by {by_name or by}" if by else ""
        super().__init__(f"This ticket was checked in{when}{who}.")
        self.at, self.by, self.by_name = at, by, by_name
