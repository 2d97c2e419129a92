"""Who gets a delivery, and who does not any more: every query that adds deliveries or takes them back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from services.notifications.model import EventFacts, Kind, State
from services.notifications.schedule import useless_after
from services.notifications.tables import deliveries

# Suppressed for a reason that can go away again.
TICKET_GONE, EVENT_MOVED, EVENT_OFF = "ticket cancelled", "event moved", "event does not take place"
LEAD_GONE = "lead time taken away"
COVERED = "covered by a reminder nearer to the start"
UNSUBSCRIBED, UNREACHABLE = "unsubscribed", "address on the suppression list"
PERSON_GONE = "the person was deleted"
REVERSIBLE = (TICKET_GONE, EVENT_MOVED, EVENT_OFF, LEAD_GONE, UNSUBSCRIBED, UNREACHABLE)
_WAITING = (State.PENDING, State.RETRY, State.CLAIMED)

# A deleted person's address is known to the suppression list by its hash only.
ON_LIST = (
    "EXISTS (SELECT FROM suppressions AS s WHERE s.address IN"
    " (lower(h.email), 'sha256:' || encode(sha256(convert_to(lower(h.email), 'UTF8')), 'hex')))"
)
HAS_LEFT = (
    "EXISTS (SELECT FROM unsubscribes AS u WHERE u.holder_id = h.id"
    " AND u.organizer_id IN ('', coalesce(e.organizer_id, '')))"
)


def _statement(source: str) -> str:
    """Adds deliveries for the rows of `source`."""
    return f"""
INSERT INTO deliveries (event_id, kind, lead_minutes, starts_at, edition, holder_id, subject_id, confirms,
    known_version, due_at, useless_after, next_attempt_at, state, reason, finished_at)
SELECT w.event_id, :kind, :lead, w.starts_at, :edition, w.holder_id, w.subject_id, :confirms,
    w.known, :due_at, w.useless_after, :now, judged.state, judged.reason,
    CASE WHEN judged.state <> 'pending' THEN CAST(:now AS timestamptz) END
FROM {source} AS w
JOIN holders AS h ON h.id = w.holder_id
JOIN events AS e ON e.id = w.event_id
CROSS JOIN LATERAL (SELECT CASE
    WHEN h.deleted THEN '{PERSON_GONE}'
    WHEN :covered THEN '{COVERED}'
    WHEN :late AND EXISTS (SELECT FROM deliveries AS d WHERE d.holder_id = h.id AND d.event_id = w.event_id
        AND d.kind = 'reminder' AND d.starts_at = w.starts_at AND d.lead_minutes <> :lead
        AND d.state <> 'suppressed') THEN '{COVERED}'
    WHEN {ON_LIST} THEN '{UNREACHABLE}'
    WHEN :reminds AND {HAS_LEFT} THEN '{UNSUBSCRIBED}'
    ELSE '' END AS reason) AS barred
CROSS JOIN LATERAL (SELECT
    CASE WHEN barred.reason <> '' THEN 'suppressed' WHEN w.useless_after <= :now THEN 'expired'
        ELSE 'pending' END AS state,
    CASE WHEN barred.reason <> '' THEN barred.reason WHEN w.useless_after <= :now THEN :too_late
        ELSE '' END AS reason) AS judged
ON CONFLICT (event_id, kind, lead_minutes, starts_at, holder_id, edition, subject_id)
DO UPDATE SET state = excluded.state, reason = excluded.reason, next_attempt_at = excluded.next_attempt_at,
    finished_at = excluded.finished_at, confirms = excluded.confirms, useless_after = excluded.useless_after
WHERE deliveries.state = 'suppressed' AND deliveries.reason = ANY(:reversible)
"""


# The recipients of one mailing, and orders of any events.
_ADD = _statement(
    "(SELECT u.holder_id, u.known, CAST(:event_id AS text) AS event_id,"
    "  CAST(:starts_at AS timestamptz) AS starts_at, CAST(:subject_id AS text) AS subject_id,"
    "  CAST(:useless_after AS timestamptz) AS useless_after"
    " FROM unnest(CAST(:holders AS text[]), CAST(:known AS bigint[])) AS u(holder_id, known))"
)
_CONFIRM = _statement(
    "(SELECT u.*, CAST(NULL AS bigint) AS known, u.starts_at AS useless_after FROM unnest("
    " CAST(:tickets AS text[]), CAST(:events AS text[]), CAST(:starts AS timestamptz[]),"
    " CAST(:holders AS text[])) AS u(subject_id, event_id, starts_at, holder_id))"
)
TOO_LATE = "the event had started"


@dataclass(frozen=True, slots=True)
class Mailing:
    """What all deliveries of one kind, lead time, start and edition have in common.

    `covered`: a reminder nearer to the start is due too, so that this one is only recorded. `late`: it was
    armed after it was due; who has another reminder for this start needs none.
    """

    event_id: str
    kind: Kind
    lead_minutes: int
    starts_at: datetime
    due_at: datetime
    edition: int = 0
    subject_id: str = ""
    confirms: str | None = None
    covered: bool = False
    late: bool = False


def add(
    connection: sa.Connection,
    mailing: Mailing,
    holders: Sequence[str],
    now: datetime,
    known: Sequence[int | None] = (),
) -> None:
    """A delivery for each holder, or on record why he gets none; who has one gets no second."""
    if not holders:
        return
    connection.execute(
        sa.text(_ADD),
        {
            "event_id": mailing.event_id,
            "kind": mailing.kind,
            "lead": mailing.lead_minutes,
            "starts_at": mailing.starts_at,
            "edition": mailing.edition,
            "subject_id": mailing.subject_id,
            "confirms": mailing.confirms,
            "due_at": mailing.due_at,
            "useless_after": useless_after(mailing.kind, mailing.starts_at, mailing.due_at),
            "covered": mailing.covered,
            "late": mailing.late,
            "reminds": mailing.kind.reminds,
            "holders": list(holders),
            "known": list(known) or [None] * len(holders),
            "now": now,
            "too_late": TOO_LATE,
            "reversible": list(REVERSIBLE),
        },
    )


def add_confirmations(
    connection: sa.Connection, rows: Sequence[tuple[str, str, datetime, str]], now: datetime
) -> None:
    """Confirmations of orders: (ticket, event, its start, holder), each ticket once."""
    names = ("tickets", "events", "starts", "holders")
    connection.execute(
        sa.text(_CONFIRM),
        {
            **{name: [row[n] for row in rows] for n, name in enumerate(names)},
            "kind": Kind.CONFIRMATION,
            "lead": 0,
            "edition": 0,
            "confirms": None,
            "due_at": now,
            "covered": False,
            "late": False,
            "reminds": Kind.CONFIRMATION.reminds,
            "now": now,
            "too_late": TOO_LATE,
            "reversible": list(REVERSIBLE),
        },
    )


def withdraw(
    connection: sa.Connection, reason: str, now: datetime, *where: sa.ColumnElement[bool]
) -> list[tuple[str, str]]:
    """Takes back what waits; returns (holder, ticket) of reminders that would have confirmed an order.

    What is on the wire now cannot be taken back, but will not be sent again.
    """
    # The new fence takes a claimed delivery out of its worker's hands.
    rows = connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.state.in_(_WAITING), *where)
        .values(
            state=State.SUPPRESSED,
            reason=reason,
            fence=deliveries.c.fence + 1,
            lease_until=None,
            finished_at=now,
        )
        .returning(deliveries.c.holder_id, deliveries.c.confirms)
    ).all()
    connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.state == State.SENDING, *where)
        .values(useless_after=now, reason=reason)
    )
    return [(row.holder_id, row.confirms) for row in rows if row.confirms]


def withdraw_reminders(
    connection: sa.Connection, event_id: str, reason: str, now: datetime, but: datetime | None = None
) -> list[tuple[str, str]]:
    """Takes back the reminders of an event, except those for the start `but`."""
    reminders = deliveries.c.kind.in_((Kind.REMINDER, Kind.MANUAL))
    other = deliveries.c.starts_at != but if but is not None else sa.true()
    return withdraw(connection, reason, now, deliveries.c.event_id == event_id, reminders, other)


def withdraw_leads(connection: sa.Connection, event: EventFacts, kept: Sequence[int], now: datetime) -> None:
    """Takes back what waits of lead times that an event has no more."""
    withdraw(
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
) -> list[tuple[str, str]]:
    """Takes back longer-lead reminders that still wait when a nearer one goes out; returns (holder, ticket)
    of those that would have confirmed an order.
    """
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


def confirm_by(connection: sa.Connection, schedule: sa.Row, orphans: Sequence[tuple[str, str]]) -> None:
    """Lets the waiting reminders of a schedule confirm the orders that others were to confirm."""
    connection.execute(
        sa.text(
            "UPDATE deliveries AS d SET confirms = o.ticket"
            " FROM unnest(CAST(:holders AS text[]), CAST(:tickets AS text[])) AS o(holder, ticket)"
            " WHERE d.event_id = :event AND d.kind = 'reminder' AND d.lead_minutes = :lead"
            "  AND d.starts_at = :start AND d.holder_id = o.holder AND d.state = 'pending'"
            "  AND d.confirms IS NULL"
        ),
        {
            "holders": [holder for holder, _ in orphans],
            "tickets": [ticket for _, ticket in orphans],
            "event": schedule.event_id,
            "lead": schedule.lead_minutes,
            "start": schedule.starts_at,
        },
    )


def withdraw_ticket(connection: sa.Connection, ticket_id: str, now: datetime) -> None:
    """Takes back the confirmation of an order; a reminder that stands for it is a plain one from now on."""
    withdraw(connection, TICKET_GONE, now, deliveries.c.subject_id == ticket_id)
    connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.confirms == ticket_id, deliveries.c.state.in_(_WAITING))
        .values(confirms=None)
    )


def withdraw_holder(
    connection: sa.Connection, holder_id: str, event_id: str | None, reason: str, now: datetime
) -> None:
    """Takes back what waits for one person: for all events, or for one but its cancellation."""
    where = [deliveries.c.holder_id == holder_id]
    if event_id is not None:
        where += [deliveries.c.event_id == event_id, deliveries.c.kind != Kind.CANCELLED]
    withdraw(connection, reason, now, *where)


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
    gone = (deliveries.c.state == State.SUPPRESSED) & deliveries.c.reason.in_(REVERSIBLE)
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
        {"ids": list(ticket_ids), "reversible": list(REVERSIBLE)},
    )
    return set(found.scalars())


def waits_to_confirm(connection: sa.Connection, ticket_id: str) -> bool:
    """Whether a mail that confirms an order has not left yet."""
    mine = sa.or_(deliveries.c.subject_id == ticket_id, deliveries.c.confirms == ticket_id)
    return bool(connection.scalar(sa.select(sa.exists().where(mine, deliveries.c.state.in_(_WAITING)))))


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
