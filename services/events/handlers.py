"""One function for each command and each message; the caller owns the transaction."""

from datetime import datetime

import sqlalchemy as sa
from pydantic import ValidationError

from services.events import model, poster_store, projections, store
from services.events.errors import AccountsAway, EventNotFound, FieldInvalid, NotAllowed
from services.events.model import Changes, Event
from services.events.store import EventFilter
from shared.auth import Principal
from shared.http import Owner, OwnerAway
from shared.messages import Envelope, new_id
from shared.messages.catalogue import UserData, UserGone
from shared.outbox import publish

SOURCE = "/events"


def create_event(
    connection: sa.Connection, wanted: Changes, caller: Principal, accounts: Owner, default_zone: str
) -> Event:
    """Makes an event and publishes it unless it is a draft; its organizer is the caller if none is named."""
    if not model.may_create(caller):
        raise NotAllowed("Only organizers and admins make events.")
    organizer_id = wanted.organizer_id or caller.id
    _check_organizer(connection, organizer_id, caller, accounts)
    event, messages = model.create(new_id(), wanted, organizer_id, default_zone)
    store.add_event(connection, event)
    publish(connection, SOURCE, messages)
    return event


def change_event(
    connection: sa.Connection,
    event_id: str,
    wanted: Changes,
    caller: Principal,
    accounts: Owner,
    default_lead: int,
) -> Event:
    """Changes what is wanted and publishes it; a change that changes nothing does nothing."""
    event = lock_own(connection, event_id, caller)
    if wanted.organizer_id is not None and wanted.organizer_id != event.organizer_id:
        _check_organizer(connection, wanted.organizer_id, caller, accounts)
    changed, messages = model.change(event, wanted, default_lead)
    if changed != event:
        store.save_event(connection, changed)
        publish(connection, SOURCE, messages)
    return changed


def delete_event(connection: sa.Connection, event_id: str, caller: Principal) -> None:
    """Deletes an event and its posters, and publishes that if anybody ever heard of it."""
    event = lock_own(connection, event_id, caller)
    store.remove_event(connection, event_id)
    poster_store.drop_of_event(connection, event_id)
    publish(connection, SOURCE, model.delete(event))


def get_event(connection: sa.Connection, event_id: str, caller: Principal | None) -> Event:
    """An event the caller may see; raises EventNotFound."""
    event = store.find_event(connection, event_id)
    if event is None or not model.may_see(caller, event):
        raise EventNotFound("There is no such event.")
    return event


def get_for_service(connection: sa.Connection, event_id: str) -> Event:
    """Any event, drafts too; raises EventNotFound."""
    event = store.find_event(connection, event_id)
    if event is None:
        raise EventNotFound("There is no such event.")
    return event


def list_events(
    connection: sa.Connection, shown: EventFilter, page: int, page_size: int
) -> tuple[list[Event], int]:
    """(one page, how many there are in all)."""
    return store.list_events(connection, shown, page, page_size)


def list_after(
    connection: sa.Connection, shown: EventFilter, page_size: int, key: tuple[datetime, str]
) -> tuple[list[Event], bool]:
    """(the page that follows a (start, id), whether more follows it)."""
    events = store.list_after(connection, shown, page_size + 1, key)
    return events[:page_size], len(events) > page_size


def user_changed(connection: sa.Connection, data: UserData, envelope: Envelope) -> None:
    """`user.registered`, `user.updated`"""
    projections.apply_user(connection, data, max(envelope.sequence, data.version))


def user_deleted(connection: sa.Connection, data: UserGone, envelope: Envelope) -> None:
    """`user.deleted`; his events stay, an admin may give them to another organizer."""
    projections.remove_user(connection, data.id)


def lock_own(connection: sa.Connection, event_id: str, caller: Principal) -> Event:
    """The event, locked, if the caller may change it; raises EventNotFound and NotAllowed."""
    event = store.find_event(connection, event_id, lock=True)
    if event is None or not model.may_see(caller, event):
        raise EventNotFound("There is no such event.")
    if not model.may_edit(caller, event):
        raise NotAllowed("Only its organizer and admins change an event.")
    return event


def _check_organizer(
    connection: sa.Connection, organizer_id: str, caller: Principal, accounts: Owner
) -> None:
    if organizer_id != caller.id and not caller.is_admin:
        raise NotAllowed("An organizer makes events only for himself.")
    known = projections.find_user(connection, organizer_id)
    if known is None:
        known = _ask_accounts(connection, organizer_id, caller, accounts)
    if not known:
        raise FieldInvalid("organizer_id", "there is no such user")


def _ask_accounts(connection: sa.Connection, user_id: str, caller: Principal, accounts: Owner) -> bool:
    """Projection first, then the owner once. The caller's own token says already that he exists."""
    try:
        found = accounts.find(f"users/{user_id}")
        if found is None:
            return False
        user = UserData.model_validate(found)
    except (OwnerAway, ValidationError) as error:
        if user_id == caller.id:
            return True
        raise AccountsAway("The accounts service cannot be asked about the organizer now.") from error
    projections.apply_user(connection, user, user.version)
    return True
