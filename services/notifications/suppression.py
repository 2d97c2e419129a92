"""Every query on addresses that get nothing, and on people who want no reminders."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.notifications import recipients
from services.notifications.model import Kind, State
from services.notifications.recipients import UNREACHABLE, UNSUBSCRIBED
from services.notifications.tables import deliveries, events, holders, suppressions, unsubscribes

HARD_REFUSAL, BY_HAND = "refused", "added by hand"


def address_key(address: str) -> str:
    """An address as the list has it: mailboxes that differ in letter case only are one."""
    return address.strip().lower()


def suppress_address(
    connection: sa.Connection, address: str, reason: str, detail: str, now: datetime
) -> bool:
    """Puts an address on the list and takes back what waits for it; False if it was there."""
    statement = insert(suppressions).values(
        address=address_key(address), reason=reason, detail=detail[:500], created_at=now
    )
    new = connection.execute(statement.on_conflict_do_nothing()).rowcount == 1
    recipients.withdraw(connection, UNREACHABLE, now, _of_address(address))
    return new


def release_address(connection: sa.Connection, address: str, now: datetime) -> bool:
    """Takes an address off the list and sends what still helps; False if it was not there."""
    key = address_key(address)
    gone = connection.execute(sa.delete(suppressions).where(suppressions.c.address.in_((key, hashed(key)))))
    _revive(connection, UNREACHABLE, now, _of_address(address))
    return gone.rowcount > 0


def revive_address(connection: sa.Connection, address: str, now: datetime) -> None:
    """A person whose address changed gets what the old address could not."""
    on_list = connection.scalar(
        sa.select(suppressions.c.address).where(
            suppressions.c.address.in_((address_key(address), hashed(address_key(address))))
        )
    )
    if on_list is None:
        _revive(connection, UNREACHABLE, now, _of_address(address))


def list_suppressions(
    connection: sa.Connection, page_size: int, after: tuple[datetime, str] | None, offset: int = 0
) -> Sequence[sa.Row]:
    """Addresses on the list, newest first; one more than asked for tells that there are more."""
    query = sa.select(suppressions).order_by(suppressions.c.created_at.desc(), suppressions.c.address.desc())
    if after is not None:
        query = query.where(sa.tuple_(suppressions.c.created_at, suppressions.c.address) < sa.tuple_(*after))
    return connection.execute(query.limit(page_size + 1).offset(offset)).all()


def get_suppression(connection: sa.Connection, address: str) -> sa.Row:
    """An address that is on the list."""
    mine = suppressions.c.address == address_key(address)
    return connection.execute(sa.select(suppressions).where(mine)).one()


def count_suppressions(connection: sa.Connection) -> int:
    """How many addresses are on the list."""
    return connection.scalar(sa.select(sa.func.count()).select_from(suppressions)) or 0


def unsubscribe(connection: sa.Connection, holder_id: str, organizer_id: str, now: datetime) -> list[str]:
    """Notes that a person wants no reminders of an organizer, '' for all; what waits is taken back.

    Returns the tickets whose orders such a reminder would have confirmed: that is to be done without it.
    """
    statement = insert(unsubscribes).values(holder_id=holder_id, organizer_id=organizer_id, created_at=now)
    connection.execute(statement.on_conflict_do_nothing())
    return recipients.withdraw(connection, UNSUBSCRIBED, now, *_reminders_of(holder_id, organizer_id))


def resubscribe(connection: sa.Connection, holder_id: str, organizer_id: str, now: datetime) -> None:
    """Takes back an unsubscription of one organizer, and with '' every one."""
    mine = unsubscribes.c.holder_id == holder_id
    named = unsubscribes.c.organizer_id.in_((organizer_id, "")) if organizer_id else sa.true()
    connection.execute(sa.delete(unsubscribes).where(mine, named))
    still = unsubscriptions(connection, holder_id)
    unwanted = sa.select(events.c.id).where(sa.func.coalesce(events.c.organizer_id, "").in_(still))
    reminders = _reminders_of(holder_id, "")
    _revive(connection, UNSUBSCRIBED, now, *reminders, deliveries.c.event_id.not_in(unwanted))


def unsubscriptions(connection: sa.Connection, holder_id: str) -> set[str]:
    """The organizers whose reminders a person does not want; '' is all."""
    found = sa.select(unsubscribes.c.organizer_id).where(unsubscribes.c.holder_id == holder_id)
    return set(connection.execute(found).scalars())


def forget(connection: sa.Connection, holder_id: str, address: str | None) -> None:
    """A deleted person's unsubscriptions go; his address stays on the list as a hash only."""
    connection.execute(sa.delete(unsubscribes).where(unsubscribes.c.holder_id == holder_id))
    if not address:
        return
    key = address_key(address)
    statement = (
        sa.update(suppressions).where(suppressions.c.address == key).values(address=hashed(key), detail="")
    )
    connection.execute(sa.delete(suppressions).where(suppressions.c.address == hashed(key)))
    connection.execute(statement)


def hashed(key: str) -> str:
    """How the list keeps an address that nobody may read any more."""
    return f"sha256:{sha256(key.encode()).hexdigest()}"


def _of_address(address: str) -> sa.ColumnElement[bool]:
    people = sa.select(holders.c.id).where(sa.func.lower(holders.c.email) == address_key(address))
    return deliveries.c.holder_id.in_(people)


def _reminders_of(holder_id: str, organizer_id: str) -> list[sa.ColumnElement[bool]]:
    kinds = deliveries.c.kind.in_((Kind.REMINDER, Kind.MANUAL))
    where = [deliveries.c.holder_id == holder_id, kinds]
    if organizer_id:
        his = sa.select(events.c.id).where(events.c.organizer_id == organizer_id)
        where.append(deliveries.c.event_id.in_(his))
    return where


def _revive(connection: sa.Connection, reason: str, now: datetime, *where: sa.ColumnElement[bool]) -> None:
    # Of several reminders only the one nearest to the start: nobody gets two in one moment.
    nearer = deliveries.alias()
    covered = sa.exists().where(
        nearer.c.holder_id == deliveries.c.holder_id,
        nearer.c.event_id == deliveries.c.event_id,
        nearer.c.kind == Kind.REMINDER,
        deliveries.c.kind == Kind.REMINDER,
        nearer.c.starts_at == deliveries.c.starts_at,
        nearer.c.lead_minutes < deliveries.c.lead_minutes,
    )
    revived = connection.execute(
        sa.update(deliveries)
        .where(
            deliveries.c.state == State.SUPPRESSED,
            deliveries.c.reason == reason,
            deliveries.c.useless_after > now,
            ~covered,
            *where,
        )
        .values(
            state=State.PENDING,
            reason="",
            next_attempt_at=now,
            finished_at=None,
            due_at=sa.func.greatest(deliveries.c.due_at, now),
        )
        .returning(deliveries.c.holder_id)
    ).scalars()
    if holders_back := sorted(set(revived)):
        recipients.join_confirmations(connection, holders_back, now)
