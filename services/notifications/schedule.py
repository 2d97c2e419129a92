"""What is due when; pure, `now` is an argument."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.notifications.errors import EventOver
from services.notifications.model import Content, EventFacts, Kind

# An order this old comes out of a rebuilt feed: it is history, not news.
ORDER_IS_HISTORY = timedelta(days=2)
# However often an event is edited, its holders hear of it after this many settling times.
SETTLES_AT_MOST = 10
CANCELLATION_IS_NEWS = timedelta(days=1)


def due_at(starts_at: datetime, lead: timedelta) -> datetime:
    """When the reminder of an event is due: an instant, whatever the clocks on its walls do until then."""
    return _shifted(starts_at, -lead)


def leads_of(event: EventFacts, default: timedelta) -> tuple[timedelta, ...]:
    """The lead times of an event, the longest first; none for an event without reminders."""
    if event.reminders is None:
        return (default,)
    return tuple(timedelta(minutes=m) for m in sorted(set(event.reminders), reverse=True))


def kind_of_run(event: EventFacts, leads: Sequence[timedelta], now: datetime) -> Kind:
    """What an admin's call means for an event now: the reminder itself, or an earlier one by hand.

    Raises EventOver when nobody should be reminded any more.
    """
    if not event.takes_place:
        raise EventOver(f"{event.name} does not take place.")
    if event.starts_at <= now:
        raise EventOver(f"{event.name} has started.")
    return Kind.REMINDER if nearest_due(event.starts_at, leads, now) is not None else Kind.MANUAL


def nearest_due(starts_at: datetime, leads: Sequence[timedelta], now: datetime) -> timedelta | None:
    """Of the lead times that are due, the one nearest to the start: the others are covered by it."""
    return min((lead for lead in leads if due_at(starts_at, lead) <= now), default=None)


def remaining_minutes(starts_at: datetime, now: datetime) -> int:
    """Whole minutes until the start, rounded up: a reminder that is sent on the second says two hours."""
    return max(0, -int((now - starts_at).total_seconds() // 60))


@dataclass(frozen=True, slots=True)
class OrderMail:
    """The mail that follows from an order: its kind, and for a reminder its lead time."""

    kind: Kind
    lead: timedelta = timedelta(0)


def mail_of_order(
    event: EventFacts,
    leads: Sequence[timedelta],
    now: datetime,
    confirm: bool,
    reminded: bool,
    wants_reminders: bool = True,
) -> OrderMail | None:
    """One mail at most: inside a lead time it is the reminder, which then confirms the order too.

    `reminded`: a reminder for this start was sent to him or waits to be.
    """
    if not event.takes_place or event.starts_at <= now:
        return None
    lead = nearest_due(event.starts_at, leads, now)
    if lead is not None and not reminded and wants_reminders:
        return OrderMail(Kind.REMINDER, lead)
    return OrderMail(Kind.CONFIRMATION) if confirm else None


def notice_of(before: EventFacts | None, after: EventFacts, now: datetime) -> Kind | None:
    """Which notice a change of an event asks for; nobody is told of changes of what has started."""
    if before is None or before.starts_at <= now:
        return None
    if before.takes_place and after.called_off:
        return Kind.CANCELLED
    if after.takes_place and after.starts_at > now and (before.called_off or _moved(before, after)):
        return Kind.MOVED
    return None


def is_news(known: Content, now_true: Content) -> bool:
    """Whether somebody who knows `known` has to be told of what is true now."""
    if now_true.called_off:
        return not known.called_off
    return known.called_off or _moved(known, now_true)


def notice_due(now: datetime, first_edit: datetime, settle: timedelta, starts_at: datetime) -> datetime:
    """When edits of an event are taken to have settled; at once where waiting would be too late."""
    due = min(now + settle, first_edit + SETTLES_AT_MOST * settle)
    return now if starts_at <= due + settle else max(now, due)


def useless_after(kind: Kind, starts_at: datetime, due: datetime) -> datetime:
    """After this a mail helps nobody."""
    if kind == Kind.TEST:
        return due + timedelta(hours=1)
    return _shifted(starts_at, CANCELLATION_IS_NEWS) if kind == Kind.CANCELLED else starts_at


def _shifted(moment: datetime, by: timedelta) -> datetime:
    try:
        # In a zone whose clocks change, arithmetic would be on the wall.
        return moment.astimezone(UTC) + by
    except OverflowError:  # the first and the last days of the calendar
        return moment


def _moved(before: EventFacts | Content, after: EventFacts | Content) -> bool:
    places = before.location.split(), after.location.split()
    return before.starts_at != after.starts_at or places[0] != places[1]
