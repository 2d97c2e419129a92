"""Every query of the sending loop: claim, mark, record, give back, and what a dead worker left."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from services.notifications.model import Claim, Content, Result, State
from services.notifications.recipients import TOO_LATE
from services.notifications.tables import deliveries


def expire(connection: sa.Connection, now: datetime) -> int:
    """Gives up what waits for an event that has started."""
    return connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.state.in_((State.PENDING, State.RETRY)), deliveries.c.useless_after <= now)
        .values(
            state=State.EXPIRED,
            reason=sa.case((deliveries.c.reason == "", TOO_LATE), else_=deliveries.c.reason),
            finished_at=now,
        )
    ).rowcount


def recover(connection: sa.Connection, now: datetime, resend_unknown: bool) -> int:
    """Takes back deliveries whose worker died: nobody knows what became of those it was sending."""
    expired = deliveries.c.lease_until <= now
    claimed = connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.state == State.CLAIMED, expired)
        .values(state=State.PENDING, lease_until=None)
    ).rowcount
    after = {"state": State.RETRY, "next_attempt_at": now} if resend_unknown else {"state": State.UNKNOWN}
    sending = connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.state == State.SENDING, expired)
        .values(lease_until=None, reason="the worker ended while sending; outcome unknown", **after)
    ).rowcount
    return claimed + sending


def claim(connection: sa.Connection, now: datetime, lease: timedelta, limit: int) -> list[Claim]:
    """Takes deliveries that are due into one worker's hands, oldest first."""
    rows = connection.execute(
        sa.text(
            "WITH due AS (SELECT id FROM deliveries WHERE state IN ('pending', 'retry')"
            "  AND next_attempt_at <= :now ORDER BY next_attempt_at, id LIMIT :limit"
            "  FOR UPDATE SKIP LOCKED)"
            " UPDATE deliveries AS d SET state = 'claimed', fence = d.fence + 1, lease_until = :until,"
            "  composed_at = coalesce(d.composed_at, :now), address = coalesce(d.address, h.email),"
            "  name = coalesce(d.name, h.name), locale = coalesce(d.locale, h.locale),"
            "  content_version = coalesce(d.content_version, e.sequence)"
            " FROM due, holders AS h, events AS e"
            " WHERE d.id = due.id AND h.id = d.holder_id AND e.id = d.event_id"
            " RETURNING d.id, d.fence, d.event_id, d.holder_id, d.kind, d.starts_at, d.composed_at,"
            "  d.address, d.name, d.locale, d.attempts, d.content_version, d.lead_minutes, d.edition,"
            "  d.useless_after, d.subject_id, d.confirms, d.known_version, e.organizer_id,"
            "  ARRAY(SELECT t.code FROM tickets AS t WHERE t.event_id = d.event_id AND t.active"
            "   AND t.holder_id = d.holder_id AND d.subject_id IN ('', t.id)"
            "   ORDER BY t.code) AS codes"
        ),
        {"now": now, "until": now + lease, "limit": limit},
    ).all()
    return _with_contents(connection, rows)


def _with_contents(connection: sa.Connection, rows: Sequence[sa.Row]) -> list[Claim]:
    wanted = {(row.event_id, row.content_version) for row in rows}
    wanted |= {(row.event_id, row.known_version) for row in rows if row.known_version is not None}
    found = connection.execute(
        sa.text(
            "SELECT event_id, version, name, location, timezone, starts_at, ends_at, note, status"
            " FROM event_contents"
            " WHERE (event_id, version) IN (SELECT * FROM"
            " unnest(CAST(:ids AS text[]), CAST(:versions AS bigint[])))"
        ),
        {"ids": [event for event, _ in wanted], "versions": [version for _, version in wanted]},
    )
    contents = {(c.event_id, c.version): Content(*c[1:]) for c in found}
    claims = []
    for row in rows:
        content = contents[row.event_id, row.content_version]
        claims.append(
            Claim(
                id=row.id,
                fence=row.fence,
                event_id=row.event_id,
                holder_id=row.holder_id,
                kind=row.kind,
                starts_at=row.starts_at,
                composed_at=row.composed_at,
                address=row.address,
                name=row.name,
                locale=row.locale,
                event_name=content.name,
                location=content.location,
                timezone=content.timezone,
                attempts=row.attempts,
                lead_minutes=row.lead_minutes,
                edition=row.edition,
                codes=tuple(row.codes),
                content_version=row.content_version,
                useless_after=row.useless_after,
                subject_id=row.subject_id,
                confirms=row.confirms,
                organizer_id=row.organizer_id,
                note=content.note,
                ends_at=content.ends_at,
                known=contents.get((row.event_id, row.known_version)),
            )
        )
    return claims


def mark_sending(
    connection: sa.Connection, claims: Sequence[Claim], now: datetime, lease: timedelta
) -> set[int]:
    """Makes `sending` durable for those whose fence still holds; returns their ids."""
    rows = connection.execute(
        sa.text(
            "UPDATE deliveries AS d SET state = 'sending', attempts = attempts + 1, lease_until = :until"
            " FROM unnest(CAST(:ids AS bigint[]), CAST(:fences AS bigint[])) AS mine(id, fence)"
            " WHERE d.id = mine.id AND d.fence = mine.fence AND d.state = 'claimed' RETURNING d.id"
        ),
        {"ids": [c.id for c in claims], "fences": [c.fence for c in claims], "until": now + lease},
    )
    return set(rows.scalars())


def release(connection: sa.Connection, claims: Sequence[Claim]) -> None:
    """Gives claimed deliveries back that this worker will not send now."""
    if not claims:
        return
    connection.execute(
        sa.text(
            "UPDATE deliveries AS d SET state = 'pending', lease_until = NULL"
            " FROM unnest(CAST(:ids AS bigint[]), CAST(:fences AS bigint[])) AS mine(id, fence)"
            " WHERE d.id = mine.id AND d.fence = mine.fence AND d.state = 'claimed'"
        ),
        {"ids": [c.id for c in claims], "fences": [c.fence for c in claims]},
    )


def record(connection: sa.Connection, claim: Claim, result: Result, now: datetime) -> bool:
    """Writes a result; False if the fence was lost and the result counts for nothing."""
    final = result.state != State.RETRY
    return (
        connection.execute(
            sa.update(deliveries)
            .where(
                deliveries.c.id == claim.id,
                deliveries.c.fence == claim.fence,
                deliveries.c.state == State.SENDING,
            )
            .values(
                state=result.state,
                answer_code=result.answer.code,
                answer_text=result.answer.text[:500],
                lease_until=None,
                finished_at=now if final else None,
                next_attempt_at=result.next_attempt_at or deliveries.c.next_attempt_at,
            )
        ).rowcount
        == 1
    )
