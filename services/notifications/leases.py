"""Every query of the sending loop: claim, mark, record, give back, and what a dead worker left.

Each of them looks at what is due or leased, by partial indexes; old rows cost nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from services.notifications.model import Claim, Content, Result, State
from services.notifications.recipients import TAKEN_BACK

SWEEP_BATCH = 5000
LATE = "CAST(extract(epoch FROM d.finished_at - d.due_at) AS float)"
# What taking a delivery `d` fixes, with the projections `h` and `e` beside it. While it is frozen a copy may
# be out there: then nothing of it changes.
TAKEN = (
    "fence = d.fence + 1, lease_until = {until}, claimed_at = {now},"
    " worker = current_setting('application_name'), composed_at = coalesce(d.composed_at, {now}),"
    " worded_at = CASE WHEN d.frozen THEN d.worded_at ELSE {now} END,"
    " address = CASE WHEN d.frozen THEN d.address ELSE h.email END,"
    " name = CASE WHEN d.frozen THEN d.name ELSE h.name END,"
    " locale = CASE WHEN d.frozen THEN d.locale ELSE h.locale END,"
    " content_version = CASE WHEN d.frozen THEN d.content_version ELSE e.sequence END,"
    " codes = CASE WHEN d.frozen THEN d.codes ELSE (SELECT array_agg(t.code ||"
    "  CASE WHEN t.code <> '' AND t.name <> '' THEN chr(9) || t.name ELSE '' END"
    "  ORDER BY t.id <> coalesce(d.confirms, ''), t.code) FROM tickets AS t"
    "  WHERE t.event_id = d.event_id AND t.holder_id = d.holder_id AND t.active"
    "   AND d.subject_id IN ('', t.id)) END"
)
# What makes a Claim, in its order; the event's content comes from elsewhere.
_EVENT, _LOCALE, _CONTENT, _KNOWN = 2, 10, 14, 21
FACTS = (
    "d.id, d.fence, d.event_id, d.holder_id, d.kind, d.starts_at, d.composed_at, d.address, d.name, d.locale,"
    " {attempts}, d.lead_minutes, d.edition, d.codes, d.content_version, d.useless_after, d.subject_id,"
    " d.confirms, e.organizer_id, d.worded_at, {frozen}, d.known_version"
)

# A place in the order of what is due: (next_attempt_at, id).
Place = tuple[datetime, int]
# A version of an event: (event id, version).
Version = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Taken:
    """What a claim brought: the claims, how many rows were looked at, and the place to go on from."""

    claims: list[Claim]
    seen: int
    last: Place | None


def expire(connection: sa.Connection, now: datetime) -> list[str | None]:
    """Gives up what waits and has become useless, a batch at a time.

    Returns for each the ticket whose order it was to confirm, if it was taken back while it was on the wire
    and not accepted then: such a one is `suppressed` as others that were taken back.
    """
    gone = "reason = ANY(CAST(:taken_back AS text[]))"
    return list(
        connection.execute(
            sa.text(
                f"UPDATE deliveries SET state = CASE WHEN {gone} THEN 'suppressed' ELSE 'expired' END,"
                " reason = CASE WHEN reason = '' THEN 'the event had started' ELSE reason END,"
                # It may come back: withdrawing had set this to the moment.
                f" useless_after = CASE WHEN {gone} AND kind IN ('reminder', 'manual', 'confirmation')"
                "  THEN starts_at ELSE useless_after END, finished_at = :now"
                " WHERE id IN (SELECT id FROM deliveries WHERE state IN ('pending', 'retry')"
                "  AND finished_at IS NULL AND useless_after <= :now ORDER BY useless_after LIMIT :limit"
                "  FOR UPDATE SKIP LOCKED) RETURNING CASE WHEN state = 'suppressed' THEN"
                "   coalesce(confirms, CASE WHEN kind = 'confirmation' THEN subject_id END) END"
            ),
            {"now": now, "limit": SWEEP_BATCH, "taken_back": list(TAKEN_BACK)},
        ).scalars()
    )


def recover(connection: sa.Connection, now: datetime, resend_unknown: bool) -> int:
    """Takes back deliveries whose worker died: nobody knows what became of those it was sending."""
    late = (
        " WHERE id IN (SELECT id FROM deliveries WHERE state = :state AND lease_until <= :now"
        " ORDER BY lease_until LIMIT :limit FOR UPDATE SKIP LOCKED)"
    )
    claimed = connection.execute(
        sa.text("UPDATE deliveries SET state = 'pending', lease_until = NULL" + late),
        {"state": State.CLAIMED, "now": now, "limit": SWEEP_BATCH},
    ).rowcount
    after = "state = 'retry', next_attempt_at = :now" if resend_unknown else "state = 'unknown'"
    why = "the worker ended while sending; outcome unknown"
    sending = connection.execute(
        sa.text(
            f"UPDATE deliveries SET {after}, lease_until = NULL,"
            " reason = CASE WHEN reason = '' THEN :why ELSE reason END" + late
        ),
        {"state": State.SENDING, "now": now, "why": why, "limit": SWEEP_BATCH},
    ).rowcount
    return claimed + sending


def claim(
    connection: sa.Connection, now: datetime, lease: timedelta, limit: int, after: Place | None = None
) -> Taken:
    """Takes deliveries that are due into one worker's hands, oldest first, those behind `after` only.

    What belongs to a paused campaign is put off until the pause ends.
    """
    due = connection.execute(
        sa.text(
            "SELECT d.id, d.next_attempt_at, p.paused_until FROM deliveries AS d"
            " LEFT JOIN campaign_pauses AS p ON p.event_id = d.event_id AND p.kind = d.kind"
            "  AND p.paused_until > :now"
            " WHERE d.state IN ('pending', 'retry') AND d.next_attempt_at <= :now"
            + (" AND (d.next_attempt_at, d.id) > (:at, :id)" if after else "")
            + " ORDER BY d.next_attempt_at, d.id LIMIT :limit FOR UPDATE OF d SKIP LOCKED"
        ),
        {"now": now, "limit": limit} | ({"at": after[0], "id": after[1]} if after else {}),
    ).all()
    if not due:
        return Taken([], 0, None)
    rested = [(row.id, row.paused_until) for row in due if row.paused_until is not None]
    if rested:
        _put_off(connection, rested)
    ids = [row.id for row in due if row.paused_until is None]
    claims = _take(connection, ids, now, lease) if ids else []
    return Taken(claims, len(due), (due[-1].next_attempt_at, due[-1].id))


def _put_off(connection: sa.Connection, rows: Sequence[tuple[int, datetime]]) -> None:
    connection.execute(
        sa.text(
            "UPDATE deliveries AS d SET next_attempt_at = late.until"
            " FROM unnest(CAST(:ids AS bigint[]), CAST(:until AS timestamptz[])) AS late(id, until)"
            " WHERE d.id = late.id"
        ),
        {"ids": [id_ for id_, _ in rows], "until": [until for _, until in rows]},
    )


def _take(connection: sa.Connection, ids: list[int], now: datetime, lease: timedelta) -> list[Claim]:
    rows = connection.execute(
        sa.text(
            f"UPDATE deliveries AS d SET state = 'claimed', {TAKEN.format(now=':now', until=':until')}"
            " FROM holders AS h, events AS e"
            " WHERE d.id = ANY(CAST(:ids AS bigint[])) AND h.id = d.holder_id AND e.id = d.event_id"
            f" RETURNING {FACTS.format(attempts='d.attempts', frozen='d.frozen')}"
        ),
        {"now": now, "until": now + lease, "ids": ids},
    ).all()
    claims = _with_contents(connection, rows)
    if len(claims) < len(ids):
        fail_unknown(connection, set(ids) - {c.id for c in claims}, now)
    return claims


def _with_contents(connection: sa.Connection, rows: Sequence[sa.Row]) -> list[Claim]:
    contents = find_contents(connection, versions_of(rows))
    claims = (claim_of(row, contents) for row in rows)
    return [claim for claim in claims if claim is not None]


def versions_of(rows: Iterable[Sequence[Any]]) -> set[Version]:
    """The versions of events that FACTS name."""
    wanted = {(row[_EVENT], row[_CONTENT]) for row in rows}
    return wanted | {(row[_EVENT], row[_KNOWN]) for row in rows if row[_KNOWN] is not None}


def find_contents(connection: sa.Connection, versions: Iterable[Version]) -> dict[Version, Content]:
    """What people are told of these versions of events; some may be missing."""
    wanted = list(versions)
    found = connection.execute(
        sa.text(
            "SELECT event_id, version, name, location, timezone, starts_at, ends_at, note, status"
            " FROM event_contents"
            " WHERE (event_id, version) IN (SELECT * FROM"
            " unnest(CAST(:ids AS text[]), CAST(:versions AS bigint[])))"
        ),
        {"ids": [event for event, _ in wanted], "versions": [version for _, version in wanted]},
    )
    return {(c.event_id, c.version): Content(*c[1:]) for c in found}


def claim_of(facts: Sequence[Any], contents: Mapping[Version, Content]) -> Claim | None:
    """FACTS as a claim; None when nothing is known of the event's version."""
    content = contents.get((facts[_EVENT], facts[_CONTENT]))
    if content is None:
        return None
    known = contents.get((facts[_EVENT], facts[_KNOWN]))
    words = (content.name, content.location, content.timezone)
    rest: Sequence[Any] = (*facts[_LOCALE:_KNOWN], content.note, content.ends_at, known)
    claim = Claim(*(*facts[:_LOCALE], *words, *rest))
    claim.codes = tuple(claim.codes or ())
    return claim


def fail_unknown(connection: sa.Connection, ids: Iterable[int], now: datetime) -> None:
    # They would stand at the head of what is due for ever.
    connection.execute(
        sa.text(
            "UPDATE deliveries SET state = 'failed', finished_at = :now, lease_until = NULL,"
            " reason = 'nothing is known of the person or the event' WHERE id = ANY(CAST(:ids AS bigint[]))"
        ),
        {"ids": list(ids), "now": now},
    )


def mark_sending(
    connection: sa.Connection, claims: Sequence[Claim], now: datetime, lease: timedelta
) -> set[int]:
    """Makes `sending` durable for those whose fence still holds and that still help; returns their ids.

    The same call again, after a commit of which nobody knows, finds the same rows: nothing was sent yet.
    """
    rows = connection.execute(
        sa.text(
            "UPDATE deliveries AS d SET state = 'sending', attempts = mine.attempts + 1, frozen = true,"
            "  lease_until = :until, sending_at = :now"
            " FROM unnest(CAST(:ids AS bigint[]), CAST(:fences AS bigint[]), CAST(:attempts AS int[]))"
            "  AS mine(id, fence, attempts)"
            " WHERE d.id = mine.id AND d.fence = mine.fence AND d.state IN ('claimed', 'sending')"
            "  AND d.useless_after > :now RETURNING d.id"
        ),
        {**_fences(claims), "attempts": [c.attempts for c in claims], "until": now + lease, "now": now},
    )
    return set(rows.scalars())


def still_sending(
    connection: sa.Connection, claims: Sequence[Claim], now: datetime, lease: timedelta
) -> set[int]:
    """The ids of those that are `sending` by their fence; their lease begins anew.

    Waits for whoever changes them now.
    """
    connection.execute(
        sa.text("SELECT id FROM deliveries WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY id FOR UPDATE"),
        {"ids": [claim.id for claim in claims]},
    )
    rows = connection.execute(
        sa.text(
            "UPDATE deliveries AS d SET lease_until = :until"
            " FROM unnest(CAST(:ids AS bigint[]), CAST(:fences AS bigint[])) AS mine(id, fence)"
            " WHERE d.id = mine.id AND d.fence = mine.fence AND d.state = 'sending' RETURNING d.id"
        ),
        {**_fences(claims), "until": now + lease},
    )
    return set(rows.scalars())


def renew(connection: sa.Connection, claims: Sequence[Claim], now: datetime, lease: timedelta) -> None:
    """Holds on to what a living worker has in hand or on the wire."""
    connection.execute(
        sa.text(
            "UPDATE deliveries AS d SET lease_until = :until"
            " FROM unnest(CAST(:ids AS bigint[]), CAST(:fences AS bigint[])) AS mine(id, fence)"
            " WHERE d.id = mine.id AND d.fence = mine.fence AND d.state IN ('claimed', 'sending')"
        ),
        {**_fences(claims), "until": now + lease},
    )


def release(connection: sa.Connection, claims: Sequence[Claim]) -> None:
    """Gives claimed deliveries back that this worker will not send now."""
    connection.execute(
        sa.text(
            "UPDATE deliveries AS d SET state = 'pending', lease_until = NULL"
            " FROM unnest(CAST(:ids AS bigint[]), CAST(:fences AS bigint[])) AS mine(id, fence)"
            " WHERE d.id = mine.id AND d.fence = mine.fence AND d.state = 'claimed'"
        ),
        _fences(claims),
    )


def record(
    connection: sa.Connection, results: Sequence[tuple[Claim, Result]], now: datetime
) -> dict[int, float | None]:
    """Writes results; returns the ids whose fence held, with how late the finished ones were in seconds.
    The others' results count for nothing.

    An answer that comes after its lease ended is still the truth while nobody else has claimed the row.
    """
    rows = connection.execute(
        sa.text(
            "UPDATE deliveries AS d SET state = r.state, answer_code = r.code, answer_text = r.answer,"
            "  attempts = r.attempts, lease_until = NULL, frozen = r.frozen,"
            # What was taken back while it was on the wire keeps the reason.
            "  reason = CASE WHEN r.state <> 'accepted' AND d.useless_after <= :now THEN d.reason"
            "   ELSE '' END,"
            "  finished_at = CASE WHEN r.state = 'retry' THEN NULL ELSE CAST(:now AS timestamptz) END,"
            "  next_attempt_at = coalesce(r.next_at, d.next_attempt_at)"
            " FROM unnest(CAST(:ids AS bigint[]), CAST(:fences AS bigint[]), CAST(:states AS text[]),"
            "  CAST(:codes AS int[]), CAST(:answers AS text[]), CAST(:attempts AS int[]),"
            "  CAST(:frozen AS boolean[]), CAST(:next_at AS timestamptz[]))"
            "  AS r(id, fence, state, code, answer, attempts, frozen, next_at)"
            " WHERE d.id = r.id AND d.fence = r.fence"
            f"  AND d.state IN ('sending', 'retry', 'unknown', 'expired') RETURNING d.id, {LATE} AS late"
        ),
        {
            **_fences([claim for claim, _ in results]),
            "now": now,
            "states": [r.state.value for _, r in results],
            "codes": [r.answer.code for _, r in results],
            "answers": [r.answer.text[:500] for _, r in results],
            "attempts": [c.attempts + (not r.answer.untried) for c, r in results],
            "frozen": [r.answer.accepted or r.answer.unknown or c.frozen for c, r in results],
            "next_at": [r.next_attempt_at for _, r in results],
        },
    )
    kept: dict[int, float | None] = {row.id: row.late for row in rows}
    _note(connection, [(c, r) for c, r in results if c.id in kept and r.state != State.ACCEPTED], now)
    return kept


def _note(connection: sa.Connection, results: Sequence[tuple[Claim, Result]], now: datetime) -> None:
    if not results:
        return
    connection.execute(
        sa.text(
            "INSERT INTO delivery_attempts (delivery_id, at, worker, state, code, answer) VALUES"
            " (:id, :now, current_setting('application_name'), :state, :code, :answer)"
        ),
        [
            {"id": c.id, "now": now, "state": r.state, "code": r.answer.code, "answer": r.answer.text[:500]}
            for c, r in results
        ],
    )


def _fences(claims: Sequence[Claim]) -> dict[str, list[int]]:
    return {"ids": [c.id for c in claims], "fences": [c.fence for c in claims]}


def pause_campaign(
    connection: sa.Connection, event_id: str, kind: str, reason: str, now: datetime, until: datetime
) -> None:
    """Lets the mails of one event and kind rest until then."""
    connection.execute(
        sa.text(
            "INSERT INTO campaign_pauses VALUES (:event, :kind, :reason, :now, :until)"
            " ON CONFLICT (event_id, kind) DO UPDATE"
            " SET reason = :reason, paused_at = :now, paused_until = :until"
        ),
        {"event": event_id, "kind": kind, "reason": reason[:500], "now": now, "until": until},
    )


def resume_campaign(connection: sa.Connection, event_id: str, kind: str) -> None:
    """Ends a pause; what was put off is due at once."""
    connection.execute(
        sa.text(
            "WITH over AS (DELETE FROM campaign_pauses WHERE event_id = :event AND kind = :kind"
            "  RETURNING event_id, kind, paused_until)"
            " UPDATE deliveries AS d SET next_attempt_at = now() FROM over"
            " WHERE d.event_id = over.event_id AND d.kind = over.kind AND d.state IN ('pending', 'retry')"
            "  AND d.next_attempt_at = over.paused_until"
        ),
        {"event": event_id, "kind": kind},
    )


def pauses(connection: sa.Connection, event_id: str) -> list[sa.Row]:
    """(kind, reason, paused_at, paused_until) of the campaigns of an event that rest, or did."""
    return list(
        connection.execute(
            sa.text(
                "SELECT kind, reason, paused_at, paused_until FROM campaign_pauses"
                " WHERE event_id = :event ORDER BY kind"
            ),
            {"event": event_id},
        )
    )
