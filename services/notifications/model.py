"""The states of a delivery and a schedule, and the rules between them; pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class State(StrEnum):
    """`pending -> claimed -> sending -> accepted | retry | failed | suppressed | expired | unknown`."""

    PENDING = "pending"
    CLAIMED = "claimed"
    SENDING = "sending"
    ACCEPTED = "accepted"
    RETRY = "retry"
    FAILED = "failed"
    SUPPRESSED = "suppressed"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


class ScheduleState(StrEnum):
    """`pending` until due and while it is expanded into deliveries; `superseded` when the event moved."""

    PENDING = "pending"
    DONE = "done"
    SUPERSEDED = "superseded"


class Kind(StrEnum):
    """`reminder` is the automatic one, `manual` one that an admin asked for earlier than that.

    `confirmation` is of one order; `moved` and `cancelled` are notices of a changed event; `test` is a mail
    that somebody sends to himself to see what it looks like.
    """

    REMINDER = "reminder"
    MANUAL = "manual"
    CONFIRMATION = "confirmation"
    MOVED = "moved"
    CANCELLED = "cancelled"
    TEST = "test"

    @property
    def reminds(self) -> bool:
        """Whether a person may say that he wants none of these."""
        return self in (Kind.REMINDER, Kind.MANUAL)

    @property
    def is_notice(self) -> bool:
        return self in (Kind.MOVED, Kind.CANCELLED)


@dataclass(frozen=True, slots=True)
class EventFacts:
    """What reminders need to know of an event.

    `reminders` are its lead times in minutes, None for the default. `hearsay` is known from an order only,
    which need not tell of the lead times and the note.
    """

    id: str
    version: int
    name: str
    location: str
    timezone: str
    starts_at: datetime
    status: str
    organizer_id: str | None = None
    deleted: bool = False
    ends_at: datetime | None = None
    reminders: tuple[int, ...] | None = None
    note: str = ""
    hearsay: bool = False

    @property
    def takes_place(self) -> bool:
        """Whether people should be told that it starts."""
        return not self.deleted and self.status in ("scheduled", "ongoing")

    @property
    def called_off(self) -> bool:
        """Whether people should be told that it does not take place: a withdrawn draft is called off too."""
        return self.deleted or self.status in ("cancelled", "draft")


@dataclass(frozen=True, slots=True)
class Content:
    """One version of what people are told of an event."""

    version: int
    name: str
    location: str
    timezone: str
    starts_at: datetime
    ends_at: datetime | None = None
    note: str = ""
    status: str = "scheduled"

    @property
    def called_off(self) -> bool:
        return self.status in ("cancelled", "draft")


@dataclass(slots=True)
class Claim:
    """A delivery in one worker's hands. Everything that makes its mail is fixed at the first claim."""

    # Not `frozen=True`: that costs three times as much to make, for each mail.

    id: int
    fence: int
    event_id: str
    holder_id: str
    kind: str
    starts_at: datetime
    composed_at: datetime
    address: str
    name: str
    locale: str
    event_name: str
    location: str
    timezone: str
    attempts: int
    lead_minutes: int = 0
    edition: int = 0
    # Of each ticket its code, and behind a tab its name.
    codes: tuple[str, ...] = ()
    content_version: int = 0
    useless_after: datetime | None = None
    subject_id: str = ""
    confirms: str | None = None
    organizer_id: str | None = None
    worded_at: datetime | None = None
    frozen: bool = False
    note: str = ""
    ends_at: datetime | None = None
    known: Content | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the mail server said. Code 0: the connection broke after the final dot, so nobody knows.

    `lost`: the connection broke before the final dot. `untried`: and it was a kept connection on which the
    server had not said a word about this mail.
    """

    code: int
    text: str
    lost: bool = False
    untried: bool = False

    @property
    def accepted(self) -> bool:
        return 200 <= self.code < 300

    @property
    def permanent(self) -> bool:
        """5xx: the same mail will never be taken (RFC 5321 4.2.1)."""
        return 500 <= self.code < 600

    @property
    def unknown(self) -> bool:
        return self.code == 0


@dataclass(frozen=True, slots=True)
class Result:
    """What follows from an answer. `suppress`: the address; `pause`: the whole campaign."""

    state: State
    next_attempt_at: datetime | None
    answer: Answer
    suppress: bool = False
    pause: bool = False
