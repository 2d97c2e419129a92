"""What events refuses; one root."""


class EventsError(Exception):
    """Something asked of this service cannot be done."""


class EventNotFound(EventsError):
    """There is no such event, or not for this caller."""


class NotAllowed(EventsError):
    """The caller's role does not allow it, or the event is another organizer's."""


class FieldInvalid(EventsError):
    """One field has a value that cannot be."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class AccountsAway(EventsError):
    """The owner of the users cannot be asked now, and without it this cannot be decided."""


class PosterNotFound(EventsError):
    """There is no such poster, or not for this caller."""


class TooManyPosters(EventsError):
    """The event has as many posters as one may have."""


class StorageAway(EventsError):
    """Where the posters' files are cannot be reached, or is full."""
