"""Bodies in and out."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from services.notifications.model import State
from shared.http import Pagination
from shared.http.fields import Line, Shown
from shared.messages.catalogue import Email

Id = Annotated[Line, Field(min_length=1, max_length=128)]
Lead = Annotated[int, Field(ge=1, le=60 * 24 * 30, description="Minutes before the start.")]
MailKind = Literal["reminder", "confirmation", "moved", "cancelled"]
Locale = Literal["en", "id"]


class RunQueued(BaseModel):
    """A run was asked for."""

    message: str
    task_id: str


class Run(BaseModel):
    """How far a run is: how many recipients are in which state."""

    id: str
    event_id: str | None
    state: Annotated[str, Field(pattern="^(queued|running|finished)$")]
    problem: str
    events: int
    recipients: int
    accepted: int
    retrying: int
    failed: int
    suppressed: int
    expired: int
    asked_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class DeliveryQueued(BaseModel):
    """A mail will be tried."""

    id: str


class Schedule(BaseModel):
    """What is due when. A notice's `starts_at` is the start that it tells of."""

    kind: str
    lead_minutes: int
    starts_at: datetime
    due_at: datetime
    state: str


class Pause(BaseModel):
    """Mails of one kind that rest because the server refused one by its policy."""

    kind: str
    reason: str
    paused_at: datetime
    paused_until: datetime


class Attempt(BaseModel):
    """An attempt that the mail server did not take the mail at."""

    at: datetime
    worker: str | None
    state: State
    answer: str


class Delivery(BaseModel):
    """One mail's whole story. `worker`, `claimed_at` and `sending_at` are of the last attempt."""

    id: str
    kind: str
    lead_minutes: int
    starts_at: datetime
    holder_id: str
    address: str | None
    ticket_id: str | None
    state: State
    reason: str
    attempts: int
    created_at: datetime
    due_at: datetime
    useless_after: datetime
    claimed_at: datetime | None
    sending_at: datetime | None
    finished_at: datetime | None
    worker: str | None
    answer: str | None
    history: list[Attempt]


class Punctuality(BaseModel):
    """Seconds between when mails could be sent at the earliest and when they were taken; null without any."""

    p50: float | None
    p95: float | None
    max: float | None


class Ledger(BaseModel):
    """What became of an event's mails."""

    event_id: str
    schedule: list[Schedule]
    counts: dict[State, int]
    punctuality: Punctuality
    paused: list[Pause]
    deliveries: list[Delivery]
    pagination: Pagination


class Unreachable(BaseModel):
    """A holder whom no reminder reaches, and why."""

    holder_id: str
    name: str
    address: str
    reason: str
    detail: str
    since: datetime | None


class UnreachableList(BaseModel):
    """Holders whom no reminder reaches."""

    unreachable: list[Unreachable]
    pagination: Pagination


class Preflight(BaseModel):
    """What would happen: `mails` go out from `first_at` to `last_at`, null where no rate is configured."""

    recipients: int
    mails: int
    suppressed: int
    unsubscribed: int
    invalid: int
    lead_minutes: int | None
    rate_per_second: int
    first_at: datetime
    last_at: datetime | None
    starts_at: datetime
    warnings: list[str]


class Preview(BaseModel):
    """A mail as a holder would get it."""

    subject: str
    text: str
    html: str


class TestMailRequest(BaseModel):
    """Which mail is sent to the caller."""

    kind: MailKind = "reminder"
    lead: Lead | None = None
    locale: Locale | None = None


class NewSuppression(BaseModel):
    """An address that shall get nothing, and why."""

    address: Annotated[Email, Shown({"format": "email"})] = Field(examples=["sari@dicoevent.example"])
    reason: Annotated[Line, Field(min_length=1, max_length=200)] = "added by hand"


class Suppression(BaseModel):
    """An address on the list; a deleted person's is shown as a hash."""

    address: str
    reason: str
    detail: str
    created_at: datetime


class SuppressionList(BaseModel):
    """Addresses that get nothing, newest first."""

    suppressions: list[Suppression]
    pagination: Pagination


class CampaignPause(Pause):
    """Mails of one kind of an event that rest."""

    event_id: str


class PauseList(BaseModel):
    """Campaigns that rest now, the latest first."""

    pauses: list[CampaignPause]
