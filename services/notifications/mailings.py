"""Adds deliveries, many in a statement: who gets a mail, and on record why somebody gets none."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from services.notifications.model import Kind
from services.notifications.recipients import COVERED, PERSON_GONE, REVERSIBLE, UNREACHABLE, UNSUBSCRIBED
from services.notifications.schedule import useless_after

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
    finished_at = excluded.finished_at, confirms = excluded.confirms, due_at = excluded.due_at,
    useless_after = excluded.useless_after
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
) -> int:
    """A delivery for each holder, or on record why he gets none; who has one gets no second.

    Returns how many are new, or newly wanted.
    """
    if not holders:
        return 0
    return connection.execute(
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
    ).rowcount


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
