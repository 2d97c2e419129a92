"""Whose deliveries are taken back, and who is next: every query on recipients but those of mailings.py."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from services.notifications.model import EventFacts, Kind, State
from services.notifications.tables import deliveries

# Suppressed for a reason that can go away again.
TICKET_GONE, EVENT_MOVED, EVENT_OFF = "ticket cancelled", "event moved", "event does not take place"
LEAD_GONE = "lead time taken away"
COVERED = "covered by a reminder nearer to the start"
UNSUBSCRIBED, UNREACHABLE = "unsubscribed", "address on the suppression list"
PERSON_GONE = "the person was deleted"
JOINED = "the reminder confirms the order"
REVERSIBLE = (TICKET_GONE, EVENT_MOVED, EVENT_OFF, LEAD_GONE, UNSUBSCRIBED, UNREACHABLE, JOINED)
TAKEN_BACK = (*REVERSIBLE, COVERED, PERSON_GONE)
_CONFIRM_NOTHING = (*REVERSIBLE, COVERED)
_WAITING = (State.PENDING, State.RETRY, State.CLAIMED)


def withdraw(
    connection: sa.Connection, reason: str, now: datetime, *where: sa.ColumnElement[bool]
) -> list[str]:
    """Takes back what waits; returns the tickets whose orders such reminders would have confirmed.

    What is on the wire now cannot be taken back, but will not be sent again.
    """
    # The new fence takes a claimed delivery out of its worker's hands.
    confirmed = connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.state.in_(_WAITING), *where)
        .values(
            state=State.SUPPRESSED,
            reason=reason,
            fence=deliveries.c.fence + 1,
            lease_until=None,
            finished_at=now,
        )
        .returning(deliveries.c.confirms)
    ).scalars()
    orders = [ticket_id for ticket_id in confirmed if ticket_id]
    connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.state == State.SENDING, *where)
        .values(useless_after=now, reason=reason)
    )
    return orders


def withdraw_reminders(
    connection: sa.Connection, event_id: str, reason: str, now: datetime, but: datetime | None = None
) -> list[str]:
    """Takes back the reminders of an event but those for the start `but`; returns what `withdraw` does."""
    reminders = deliveries.c.kind.in_((Kind.REMINDER, Kind.MANUAL))
    other = deliveries.c.starts_at != but if but is not None else sa.true()
    return withdraw(connection, reason, now, deliveries.c.event_id == event_id, reminders, other)


def withdraw_leads(
    connection: sa.Connection, event: EventFacts, kept: Sequence[int], now: datetime
) -> list[str]:
    """Takes back what waits of lead times that an event has no more; returns the orders left unconfirmed."""
    return withdraw(
        connection,
        LEAD_GONE,
        now,
        deliveries.c.event_id == event.id,
        deliveries.c.kind == Kind.REMINDER,
        deliveries.c.lead_minutes.not_in(kept),
    )


def withdraw_kind(
    connection: sa.Connection, event_id: str, kinds: Sequence[Kind], reason: str, now: datetime
) -> None:
    """Takes back what waits of these kinds for an event."""
    withdraw(connection, reason, now, deliveries.c.event_id == event_id, deliveries.c.kind.in_(kinds))


def withdraw_covered(
    connection: sa.Connection, schedule: sa.Row, holders: Sequence[str], now: datetime
) -> list[str]:
    """Takes back longer-lead reminders that wait when a nearer one goes out; returns what `withdraw` does."""
    return withdraw(
        connection,
        COVERED,
        now,
        deliveries.c.event_id == schedule.event_id,
        deliveries.c.kind == Kind.REMINDER,
        deliveries.c.starts_at == schedule.starts_at,
        deliveries.c.lead_minutes > schedule.lead_minutes,
        deliveries.c.holder_id == sa.any_(sa.cast(list(holders), ARRAY(sa.Text))),
    )


def withdraw_ticket(connection: sa.Connection, ticket_id: str, now: datetime) -> None:
    """Takes back the confirmation of an order; a reminder that stands for it is a plain one from now on."""
    withdraw_confirmation(connection, ticket_id, TICKET_GONE, now)
    connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.confirms == ticket_id, deliveries.c.state.in_((*_WAITING, State.SENDING)))
        .values(confirms=None)
    )


def withdraw_confirmation(connection: sa.Connection, ticket_id: str, reason: str, now: datetime) -> None:
    """Takes back the confirmation of an order that waits."""
    withdraw(connection, reason, now, deliveries.c.subject_id == ticket_id)


def unconfirmed_while_off(connection: sa.Connection, event_id: str) -> list[str]:
    """The tickets of an event whose orders were not confirmed because it was off."""
    ticket = sa.func.coalesce(deliveries.c.confirms, deliveries.c.subject_id)
    confirms = (deliveries.c.kind == Kind.CONFIRMATION) | deliveries.c.confirms.is_not(None)
    off = (deliveries.c.state == State.SUPPRESSED) & (deliveries.c.reason == EVENT_OFF)
    query = sa.select(ticket).where(deliveries.c.event_id == event_id, off, confirms)
    return list(connection.execute(query.order_by(deliveries.c.id)).scalars())


def withdraw_holder(
    connection: sa.Connection, holder_id: str, event_id: str | None, reason: str, now: datetime
) -> None:
    """Takes back what waits for one person: for all events, or for one but its cancellation."""
    where = [deliveries.c.holder_id == holder_id]
    if event_id is not None:
        where += [deliveries.c.event_id == event_id, deliveries.c.kind != Kind.CANCELLED]
    withdraw(connection, reason, now, *where)


def claim_anew(connection: sa.Connection, holder_id: str, event_id: str | None = None) -> None:
    """Takes what is claimed for a person out of its worker's hands: it says what was true at the claim."""
    mine = [deliveries.c.holder_id == holder_id, deliveries.c.state == State.CLAIMED]
    if event_id is not None:
        mine.append(deliveries.c.event_id == event_id)
    connection.execute(
        sa.update(deliveries)
        .where(*mine)
        .values(state=State.PENDING, fence=deliveries.c.fence + 1, lease_until=None)
    )


def move_confirmations(connection: sa.Connection, event: EventFacts) -> None:
    """Confirmations that still wait follow the event to its new start."""
    connection.execute(
        sa.update(deliveries)
        .where(
            deliveries.c.event_id == event.id,
            deliveries.c.kind == Kind.CONFIRMATION,
            deliveries.c.state.in_(_WAITING),
        )
        .values(starts_at=event.starts_at, useless_after=event.starts_at)
    )


def is_reminded(connection: sa.Connection, event: EventFacts, holder_id: str) -> bool:
    """Whether a reminder for the event's start was sent to somebody or waits to be."""
    found = sa.exists().where(
        deliveries.c.holder_id == holder_id,
        deliveries.c.event_id == event.id,
        deliveries.c.kind == Kind.REMINDER,
        deliveries.c.starts_at == event.starts_at,
        deliveries.c.state != State.SUPPRESSED,
    )
    return bool(connection.scalar(sa.select(found)))


def is_confirmed(connection: sa.Connection, ticket_id: str) -> bool:
    """Whether an order was confirmed, or its confirmation waits; what was taken back for good counts too."""
    mine = sa.or_(deliveries.c.subject_id == ticket_id, deliveries.c.confirms == ticket_id)
    gone = (deliveries.c.state == State.SUPPRESSED) & deliveries.c.reason.in_(_CONFIRM_NOTHING)
    return bool(connection.scalar(sa.select(sa.exists().where(mine, ~gone))))


def confirmed_among(connection: sa.Connection, ticket_ids: Sequence[str]) -> set[str]:
    """As is_confirmed for many: those of the tickets whose order is confirmed."""
    if not ticket_ids:
        return set()
    gone = "NOT (state = 'suppressed' AND reason = ANY(:reversible))"
    found = connection.execute(
        # `<> ''` and IS NOT NULL let the planner use the partial indexes.
        sa.text(
            "SELECT subject_id FROM deliveries WHERE subject_id = ANY(CAST(:ids AS text[]))"
            f" AND subject_id <> '' AND {gone} UNION"
            " SELECT confirms FROM deliveries WHERE confirms = ANY(CAST(:ids AS text[]))"
            f" AND confirms IS NOT NULL AND {gone}"
        ),
        {"ids": list(ticket_ids), "reversible": list(_CONFIRM_NOTHING)},
    )
    return set(found.scalars())


def stop_confirming(connection: sa.Connection, ticket_ids: Sequence[str]) -> None:
    """Reminders that were taken back and may come back must not confirm these orders: that is done anew."""
    plain = sa.update(deliveries).where(deliveries.c.confirms.in_(ticket_ids)).values(confirms=None)
    connection.execute(plain.where(deliveries.c.state == State.SUPPRESSED))


def let_confirm(connection: sa.Connection, event_id: str, holder_id: str, ticket_id: str) -> bool:
    """Lets the nearest reminder that waits confirm an order; False where none does."""
    waiting = (
        sa.select(deliveries.c.id)
        .where(
            deliveries.c.holder_id == holder_id,
            deliveries.c.event_id == event_id,
            deliveries.c.kind == Kind.REMINDER,
            deliveries.c.state.in_((State.PENDING, State.RETRY)),
            ~deliveries.c.frozen,
            deliveries.c.confirms.is_(None),
        )
        .order_by(deliveries.c.lead_minutes)
        .limit(1)
        .with_for_update()
    )
    mine = deliveries.c.id == waiting.scalar_subquery()
    return connection.execute(sa.update(deliveries).where(mine).values(confirms=ticket_id)).rowcount == 1


def join_confirmations(connection: sa.Connection, holders: Sequence[str], now: datetime) -> None:
    """One mail, not two: where a reminder and a confirmation of one event wait, the reminder confirms."""
    connection.execute(
        sa.text(
            "WITH pairs AS (SELECT DISTINCT ON (r.id) r.id AS reminder, c.id AS confirmation, c.subject_id"
            "  FROM deliveries AS r JOIN deliveries AS c ON c.holder_id = r.holder_id"
            "   AND c.event_id = r.event_id AND c.starts_at = r.starts_at AND c.kind = 'confirmation'"
            "   AND c.state IN ('pending', 'claimed', 'retry') AND NOT c.frozen"
            "  WHERE r.holder_id = ANY(CAST(:holders AS text[])) AND r.kind = 'reminder'"
            "   AND r.state = 'pending' AND NOT r.frozen AND r.confirms IS NULL ORDER BY r.id, c.id),"
            " joined AS (UPDATE deliveries AS d SET state = 'suppressed', reason = :joined,"
            "   fence = d.fence + 1, lease_until = NULL, finished_at = :now FROM pairs"
            "  WHERE d.id = pairs.confirmation AND d.state IN ('pending', 'claimed', 'retry')"
            "  RETURNING pairs.reminder, pairs.subject_id)"
            " UPDATE deliveries AS d SET confirms = joined.subject_id FROM joined"
            " WHERE d.id = joined.reminder"
        ),
        {"holders": list(holders), "joined": JOINED, "now": now},
    )


def waits_to_confirm(connection: sa.Connection, ticket_id: str) -> bool:
    """Whether a mail that confirms an order has not left yet, or is on the wire."""
    mine = sa.or_(deliveries.c.subject_id == ticket_id, deliveries.c.confirms == ticket_id)
    waits = deliveries.c.state.in_((*_WAITING, State.SENDING))
    return bool(connection.scalar(sa.select(sa.exists().where(mine, waits))))


def id_of_test(connection: sa.Connection, subject_id: str) -> int:
    """The delivery of a test mail."""
    return connection.execute(
        sa.select(deliveries.c.id).where(deliveries.c.subject_id == subject_id)
    ).scalar_one()


def wants_reminders(connection: sa.Connection, event: EventFacts, holder_id: str) -> bool:
    """Whether somebody has not said that he wants no reminders of this organizer, or of all."""
    left = connection.scalar(
        sa.text(
            "SELECT EXISTS (SELECT FROM unsubscribes WHERE holder_id = :holder"
            " AND organizer_id IN ('', :organizer))"
        ),
        {"holder": holder_id, "organizer": event.organizer_id or ""},
    )
    return not left


def next_holders(connection: sa.Connection, schedule: sa.Row, limit: int) -> list[str]:
    """The next holders of tickets of a schedule's event, after its cursor."""
    found = connection.execute(
        sa.text(
            "SELECT DISTINCT holder_id FROM tickets WHERE event_id = :event AND active"
            " AND holder_id > :cursor ORDER BY holder_id LIMIT :limit"
        ),
        {"event": schedule.event_id, "cursor": schedule.cursor, "limit": limit},
    )
    return list(found.scalars())


def next_informed(connection: sa.Connection, schedule: sa.Row, limit: int) -> list[tuple[str, int, int]]:
    """(holder, the version of the event that he knows, the newest one that another mail than a notice told
    him) of the next holders whom a notice may concern.

    He knows what his newest ticket was ordered by (its version, or what was true at that moment by both
    publishers' clocks), unless a confirmation told him something older; and what the last notice told him.
    Who lost his ticket through the very cancellation is told of it too.
    """
    found = connection.execute(
        sa.text(
            "WITH batch AS MATERIALIZED (SELECT DISTINCT t.holder_id FROM tickets AS t"
            "  WHERE t.event_id = :event AND t.holder_id > :cursor"
            "   AND (t.active OR (:gone AND t.gone_at >= :changed)) ORDER BY t.holder_id LIMIT :limit)"
            " SELECT holder_id, max(greatest(told, least(bought, confirmed))) AS known,"
            "  coalesce(max(read), 0) AS read FROM ("
            " SELECT t.holder_id,"
            "  greatest(t.known_version, (SELECT max(c.version) FROM event_contents AS c"
            "   WHERE c.event_id = t.event_id AND c.changed_at < t.ordered_at"
            # Nobody orders what he knows to be off: his order was taken by a copy that had not heard of it.
            "    AND c.status NOT IN ('cancelled', 'draft'))) AS bought,"
            # `<> ''` and IS NOT NULL let the planner use the partial indexes.
            "  greatest((SELECT max(d.content_version) FROM deliveries AS d WHERE d.subject_id = t.id"
            "   AND d.subject_id <> '' AND d.kind = 'confirmation'),"
            "   (SELECT max(d.content_version) FROM deliveries AS d WHERE d.confirms = t.id"
            "   AND d.confirms IS NOT NULL)) AS confirmed,"
            "  mails.told, mails.read"
            " FROM batch AS b JOIN tickets AS t ON t.holder_id = b.holder_id AND t.event_id = :event"
            "  AND (t.active OR (:gone AND t.gone_at >= :changed))"
            " CROSS JOIN LATERAL (SELECT"
            "   max(d.edition) FILTER (WHERE d.kind IN ('moved', 'cancelled')) AS told,"
            "   max(d.content_version) FILTER"
            "    (WHERE d.kind IN ('reminder', 'manual', 'confirmation')) AS read"
            "  FROM deliveries AS d WHERE d.holder_id = t.holder_id AND d.event_id = t.event_id"
            "   AND d.state IN ('accepted', 'sending', 'unknown')) AS mails) AS knowing"
            " GROUP BY holder_id ORDER BY holder_id"
        ),
        {
            "event": schedule.event_id,
            "cursor": schedule.cursor,
            "gone": schedule.kind == Kind.CANCELLED,
            "changed": schedule.changed_at,
            "limit": limit,
        },
    )
    return [(row.holder_id, row.known, row.read) for row in found]


def forget(connection: sa.Connection, holder_id: str, address: str | None) -> None:
    """Takes a person's name and address out of the ledger and the dead letters."""
    connection.execute(
        sa.update(deliveries).where(deliveries.c.holder_id == holder_id).values(address=None, name=None)
    )
    if address:
        connection.execute(
            sa.text(
                "UPDATE delivery_attempts AS a SET answer = replace(answer, :address, 'deleted')"
                " FROM deliveries AS d WHERE d.id = a.delivery_id AND d.holder_id = :holder"
            ),
            {"address": address, "holder": holder_id},
        )
        connection.execute(
            sa.text(
                "UPDATE deliveries SET answer_text = replace(answer_text, :address, 'deleted')"
                " WHERE holder_id = :holder AND strpos(answer_text, :address) > 0"
            ),
            {"address": address, "holder": holder_id},
        )
        connection.execute(
            sa.text(
                "UPDATE dead_letters SET body = replace(body, :address, 'deleted'),"
                " reason = replace(reason, :address, 'deleted') WHERE strpos(body, :address) > 0"
            ),
            {"address": address},
        )
