"""What is due when; pure, `now` is an argument."""

from datetime import datetime, timedelta

from services.notifications.errors import EventOver
from services.notifications.model import EventFacts, Kind


def due_at(starts_at: datetime, lead: timedelta) -> datetime:
    """When the reminder of an event is due."""
    return starts_at - lead


def kind_of_run(event: EventFacts, lead: timedelta, now: datetime) -> Kind:
    """What an admin's call means for an event now: the reminder itself, or an earlier one by hand.

    Raises EventOver when nobody should be reminded any more.
    """
    if not event.takes_place:
        raise EventOver(f"{event.name} does not take place.")
    if event.starts_at <= now:
        raise EventOver(f"{event.name} has started.")
    return Kind.REMINDER if due_at(event.starts_at, lead) <= now else Kind.MANUAL


def remaining_minutes(starts_at: datetime, now: datetime) -> int:
    """Whole minutes until the start, rounded up: a reminder that is sent on the second says two hours."""
    return max(0, -int((now - starts_at).total_seconds() // 60))
