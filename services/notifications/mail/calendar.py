"""An event for a calendar (RFC 5545), published without attendees (RFC 5546 3.2.1) or cancelled (3.2.5)."""

from datetime import UTC, datetime

from icalendar import Calendar, Event, vCalAddress

_INTEGER_LIMIT = 2**31 - 1  # RFC 5545 3.3.8


def write_calendar(
    event_id: str,
    domain: str,
    version: int,
    name: str,
    location: str,
    note: str,
    starts_at: datetime,
    ends_at: datetime | None,
    stamp: datetime,
    sender: str,
    cancelled: bool,
) -> bytes:
    """The .ics of one version of an event: its UID never changes, its SEQUENCE grows.

    The texts have no controls in them; name and location are one line.
    Times are in UTC: an instant needs no VTIMEZONE, and every calendar shows it in its owner's zone.
    """
    event = Event()
    event.add("uid", f"{_safe(event_id)}@{domain}")
    event.add("sequence", min(version, _INTEGER_LIMIT))
    event.add("dtstamp", stamp.astimezone(UTC))
    event.add("dtstart", starts_at.astimezone(UTC))
    if ends_at is not None and ends_at > starts_at:
        event.add("dtend", ends_at.astimezone(UTC))
    event.add("summary", name)
    if location:
        event.add("location", location)
    if note:
        event.add("description", note)
    event.add("organizer", vCalAddress(f"mailto:{sender}"))
    event.add("status", "CANCELLED" if cancelled else "CONFIRMED")
    calendar = Calendar()
    calendar.add("prodid", "-//DicoEvent//Reminders//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "CANCEL" if cancelled else "PUBLISH")
    calendar.add_component(event)
    return calendar.to_ical()


def _safe(event_id: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in event_id)
