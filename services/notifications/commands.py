"""One function for each thing that staff and holders ask of this service, but for runs."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from services.notifications import mailings, planning, projections, reach, recipients, store, suppression
from services.notifications.errors import UnknownAddress
from services.notifications.link_tokens import UnsubscribeLink
from services.notifications.mail.compiled import mailbox
from services.notifications.mail.smtp import wire_address
from services.notifications.mail.words import language
from services.notifications.mailings import Mailing
from services.notifications.model import Claim, EventFacts, Kind
from services.notifications.reach import Outlook
from services.notifications.schedule import due_at, leads_of
from services.notifications.settings import ReminderSettings


def sample_claim(event: EventFacts, lead: int | None, rules: ReminderSettings, now: datetime) -> Claim:
    """A delivery of an event that is only looked at."""
    return Claim(
        id=0,
        fence=0,
        event_id=event.id,
        holder_id="preview",
        kind=Kind.TEST,
        starts_at=event.starts_at,
        composed_at=now,
        address="preview@dicoevent.example",
        name="Sari Dewi",
        locale="en",
        event_name=event.name,
        location=event.location,
        timezone=event.timezone,
        attempts=0,
        lead_minutes=lead or _lead_minutes(event, rules),
        content_version=event.version,
        organizer_id=event.organizer_id,
        note=event.note,
        ends_at=event.ends_at,
    )


def queue_test(
    connection: sa.Connection,
    event: EventFacts,
    caller_id: str,
    subject_id: str,
    lead: int | None,
    rules: ReminderSettings,
) -> int:
    """A test mail to somebody himself; returns its delivery's id."""
    now = store.database_now(connection, rules.clock_offset)
    mailing = Mailing(
        event.id, Kind.TEST, lead or _lead_minutes(event, rules), event.starts_at, now, subject_id=subject_id
    )
    mailings.add(connection, mailing, [caller_id], now)
    store.notify(connection)
    return recipients.id_of_test(connection, subject_id)


def preflight(
    connection: sa.Connection, event: EventFacts, lead: int | None, rules: ReminderSettings, rate: int
) -> dict[str, Any]:
    """What the next reminder of an event would be: for whom, when, and what to look out for."""
    now = store.database_now(connection, rules.clock_offset)
    coming = [lead_ for lead_ in leads_of(event, rules.lead) if due_at(event.starts_at, lead_) > now]
    chosen = timedelta(minutes=lead) if lead else max(coming, default=None)
    first = now if chosen is None else max(now, due_at(event.starts_at, chosen))
    listed, left, addresses = reach.addresses_of(connection, event.id)
    invalid = sum(not _can_be_written_to(address) for address in addresses)
    outlook = Outlook(listed + left + len(addresses), listed, left, invalid)
    last = reach.last_leaves(first, outlook.mails, rate)
    return {
        "recipients": outlook.recipients,
        "mails": outlook.mails,
        "suppressed": listed,
        "unsubscribed": left,
        "invalid": invalid,
        "lead_minutes": None if chosen is None else int(chosen.total_seconds() // 60),
        "rate_per_second": rate,
        "first_at": first,
        "last_at": last,
        "starts_at": event.starts_at,
        "warnings": reach.warnings_of(outlook, last, first, event.starts_at),
    }


def suppress(connection: sa.Connection, address: str, reason: str, rules: ReminderSettings) -> dict[str, Any]:
    """Puts an address on the suppression list; one that is there stays as it is."""
    now = store.database_now(connection, rules.clock_offset)
    suppression.suppress_address(connection, address, reason, "", now)
    return dict(suppression.get_suppression(connection, address)._mapping)


def release(connection: sa.Connection, address: str, rules: ReminderSettings) -> None:
    """Takes an address off the list; raises UnknownAddress."""
    now = store.database_now(connection, rules.clock_offset)
    if not suppression.release_address(connection, address, now):
        raise UnknownAddress("This address is not on the list.")
    store.notify(connection)


def change_subscription(
    connection: sa.Connection, link: UnsubscribeLink, wanted: str, rules: ReminderSettings
) -> None:
    """What somebody wants by a mail's link: `all` or `none` of the reminders ended, else the organizer's."""
    if projections.find_holder(connection, link.holder_id) is None:
        return
    now = store.database_now(connection, rules.clock_offset)
    if wanted == "none":
        suppression.resubscribe(connection, link.holder_id, link.organizer_id, now)
        store.notify(connection)
    else:
        organizer_id = "" if wanted == "all" else link.organizer_id
        unconfirmed = suppression.unsubscribe(connection, link.holder_id, organizer_id, now)
        planning.confirm_orders(connection, unconfirmed, rules.clock_offset)


def subscription(connection: sa.Connection, link: UnsubscribeLink) -> dict[str, Any]:
    """What the page for people says: language, organizer, and what has ended."""
    ended = suppression.unsubscriptions(connection, link.holder_id)
    person = projections.find_holder(connection, link.holder_id)
    organizer = projections.find_holder(connection, link.organizer_id)
    return {
        "lang": language(person.locale if person else ""),
        "organizer": organizer.name if organizer else "",
        "has_organizer": bool(link.organizer_id),
        "this": link.organizer_id in ended,
        "all": "" in ended,
    }


def _lead_minutes(event: EventFacts, rules: ReminderSettings) -> int:
    leads = leads_of(event, rules.lead) or (rules.lead,)
    return int(min(leads).total_seconds() // 60)


def _can_be_written_to(address: str) -> bool:
    try:
        mailbox("", wire_address(address))
    except ValueError:
        return False
    return True
