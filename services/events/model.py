"""What an event is, and what follows from a change. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.events.errors import FieldInvalid
from shared.auth import Principal
from shared.messages import Message
from shared.messages.catalogue import EventData, EventGone
from shared.times import read_time, read_zone

DRAFT, SCHEDULED, CANCELLED = "draft", "scheduled", "cancelled"
STATUSES = (DRAFT, SCHEDULED, "ongoing", "completed", CANCELLED)
# What a change takes over as it comes.
_PLAIN = ("name", "description", "location", "quota", "category", "organizer_id", "reminder_note")


@dataclass(frozen=True, slots=True)
class Event:
    """An event's state. `version` counts its changes; `published` tells whether others ever heard of it.

    `ends_at` is what was asked for, also if that is before the start: see `known_end`. `reminders` are lead
    times in minutes, None for the installation's default; `reminder_note` the organizer's words to holders.
    """

    id: str
    version: int
    name: str
    description: str
    location: str
    starts_at: datetime
    ends_at: datetime | None
    timezone: str
    status: str
    quota: int
    category: str
    organizer_id: str
    published: bool = False
    reminders: tuple[int, ...] | None = None
    reminder_note: str = ""

    @property
    def is_draft(self) -> bool:
        return self.status == DRAFT

    @property
    def ends_before_start(self) -> bool:
        return self.ends_at is not None and self.ends_at < self.starts_at

    @property
    def known_end(self) -> datetime | None:
        """The end, unknown when it lies before the start."""
        return None if self.ends_before_start else self.ends_at


@dataclass(frozen=True, slots=True)
class Changes:
    """What a caller wants of an event; None is "as it is". Times are text as he sent them, "" for no end.

    `reminders` in order and without doubles; with `default_reminders` the installation's default again.
    """

    name: str | None = None
    description: str | None = None
    location: str | None = None
    start_time: str | None = None
    end_time: str | None = None
    timezone: str | None = None
    status: str | None = None
    quota: int | None = None
    category: str | None = None
    organizer_id: str | None = None
    reminders: tuple[int, ...] | None = None
    default_reminders: bool = False
    reminder_note: str | None = None


def may_create(caller: Principal) -> bool:
    """Admins, superusers and organizers make events."""
    return caller.is_admin or caller.is_organizer


def may_edit(caller: Principal | None, event: Event) -> bool:
    """Admins and superusers edit any event, an organizer his own."""
    if caller is None:
        return False
    return caller.is_admin or (caller.is_organizer and caller.id == event.organizer_id)


def may_see(caller: Principal | None, event: Event) -> bool:
    """Anyone sees an event, but a draft is for those who may edit it."""
    return not event.is_draft or may_edit(caller, event)


def create(id_: str, wanted: Changes, organizer_id: str, default_zone: str) -> tuple[Event, list[Message]]:
    """A new event and what to tell the others; raises FieldInvalid."""
    if wanted.name is None or wanted.start_time is None or wanted.quota is None:
        raise FieldInvalid("body", "name, start_time and quota are required")
    zone = read_zone("timezone", wanted.timezone or default_zone)
    event = Event(
        id=id_,
        version=1,
        name=wanted.name,
        description=wanted.description or "",
        location=wanted.location or "",
        starts_at=read_time("start_time", wanted.start_time, zone),
        ends_at=read_time("end_time", wanted.end_time, zone) if wanted.end_time else None,
        timezone=zone,
        status=read_status(wanted.status or SCHEDULED),
        quota=wanted.quota,
        category=wanted.category or "",
        organizer_id=organizer_id,
        reminders=wanted.reminders,
        reminder_note=wanted.reminder_note or "",
    )
    return _announced(None, event)


def change(event: Event, wanted: Changes, default_lead: int) -> tuple[Event, list[Message]]:
    """The event after a change and what to tell the others; the same event if nothing changes.

    A new time zone alone moves no instant: it says where people read it. An event without lead times of its
    own that is sent back with the default it was shown with stays one. Raises FieldInvalid.
    """
    zone = read_zone("timezone", wanted.timezone) if wanted.timezone else event.timezone
    starts_at, ends_at = event.starts_at, event.ends_at
    if wanted.start_time is not None:
        starts_at = read_time("start_time", wanted.start_time, zone)
    if wanted.end_time is not None:
        ends_at = read_time("end_time", wanted.end_time, zone) if wanted.end_time else None
    given = {name: getattr(wanted, name) for name in _PLAIN if getattr(wanted, name) is not None}
    new = replace(
        event,
        timezone=zone,
        starts_at=starts_at,
        ends_at=ends_at,
        status=read_status(wanted.status) if wanted.status else event.status,
        reminders=_reminders(event, wanted, default_lead),
        **given,
    )
    if new == event:
        return event, []
    return _announced(event, replace(new, version=event.version + 1))


def _reminders(event: Event, wanted: Changes, default_lead: int) -> tuple[int, ...] | None:
    if wanted.default_reminders:
        return None
    if wanted.reminders is None or (event.reminders is None and wanted.reminders == (default_lead,)):
        return event.reminders
    return wanted.reminders


def delete(event: Event) -> list[Message]:
    """What to tell the others about an event that is gone: nothing, if they never heard of it."""
    if not event.published:
        return []
    return [Message("event.deleted", event.id, event.version + 1, EventGone(id=event.id))]


def warnings(event: Event) -> list[str]:
    """What is accepted though it looks wrong."""
    if event.ends_before_start:
        return ["end_time lies before start_time: the end is treated as unknown."]
    return []


def event_data(event: Event) -> EventData:
    """The event as other services know it."""
    return EventData(
        id=event.id,
        version=event.version,
        name=event.name,
        starts_at=event.starts_at,
        ends_at=event.known_end,
        timezone=event.timezone,
        location=event.location,
        status=event.status,
        quota=event.quota,
        organizer_id=event.organizer_id,
        reminders=None if event.reminders is None else list(event.reminders),
        reminder_note=event.reminder_note,
    )


def _announced(old: Event | None, new: Event) -> tuple[Event, list[Message]]:
    type_ = _message_type(old.status if old else DRAFT, new.status)
    if type_ is None:
        return new, []
    # To others a withdrawn event is a cancelled one: they know no drafts.
    shown = replace(new, status=CANCELLED) if new.is_draft else new
    return replace(new, published=True), [Message(type_, new.id, new.version, event_data(shown))]


def _message_type(was: str, now: str, silent: Sequence[str] = (DRAFT, CANCELLED)) -> str | None:
    if now == DRAFT:
        return None if was in silent else "event.cancelled"
    if now == CANCELLED and was != CANCELLED:
        return "event.cancelled"
    if was in silent and now not in silent:
        return "event.scheduled"
    return "event.updated"


def read_status(text: str) -> str:
    """A status in any letter case, in lower case; raises FieldInvalid."""
    status = text.strip().lower()
    if status not in STATUSES:
        raise FieldInvalid("status", f"is not one of {', '.join(STATUSES)}")
    return status
