"""What every request needs: the wiring, who may call, and refusals with their status."""

from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from services.notifications import projections
from services.notifications.errors import (
    EventOver,
    LinkRefused,
    NotificationsError,
    UnknownAddress,
    UnknownDelivery,
    UnknownEvent,
    UnknownPause,
    UnknownRun,
)
from services.notifications.model import EventFacts
from services.notifications.settings import MailSettings, ReminderSettings
from shared.auth import Authenticator, Principal
from shared.http import Conflict, DependencyDown, Forbidden, NotFound, Owner, OwnerAway, Refusal
from shared.inbox import Receiver
from shared.messages.catalogue import EventData

REFUSALS: dict[type[NotificationsError], type[Refusal]] = {
    UnknownEvent: NotFound,
    UnknownRun: NotFound,
    UnknownDelivery: NotFound,
    UnknownAddress: NotFound,
    UnknownPause: NotFound,
    LinkRefused: NotFound,
    EventOver: Conflict,
}
NO_EVENT = "There is no such event."


@dataclass(frozen=True, slots=True)
class Doors:
    """What the API's calls need."""

    engine: Engine
    receiver: Receiver
    authenticator: Authenticator
    events: Owner
    reminders: ReminderSettings
    mail: MailSettings


def event_for_staff(connection: Connection, event_id: str, caller: Principal) -> EventFacts:
    """A known event, deleted ones too; raises UnknownEvent, and Forbidden for others than its staff."""
    event = projections.find_event(connection, event_id)
    if event is None or (not event.name and event.deleted):
        raise UnknownEvent(NO_EVENT)
    if not (caller.is_admin or (caller.is_organizer and event.organizer_id == caller.id)):
        raise Forbidden("Only staff of the event may do this.")
    return event


def know_event(doors: Doors, event_id: str) -> None:
    """Asks the events service once about an event that no message has told of yet."""
    with doors.engine.connect() as connection:
        if projections.find_event(connection, event_id) is not None:
            return
    try:
        found = doors.events.find(f"events/{event_id}")
    except OwnerAway:
        raise DependencyDown("The events service cannot be asked about this event now.") from None
    if found is not None:
        data = EventData.model_validate(found)
        with doors.engine.begin() as connection:
            projections.apply_event(connection, data, data.version)
