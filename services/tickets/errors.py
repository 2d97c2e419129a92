"""What tickets refuses; one root."""


class TicketsError(Exception):
    """Something asked of this service cannot be done."""


class NotFoundHere(TicketsError):
    """There is no such ticket type, order or event, or not for this caller."""


class NotAllowed(TicketsError):
    """The caller's role does not allow it."""


class OrderRefused(TicketsError):
    """Sold out, started, cancelled, or not on sale: the state does not allow an order."""


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
