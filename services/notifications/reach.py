"""Whom an event's mails reach, and when the last of them would leave: queries and their arithmetic."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from services.notifications.mailings import HAS_LEFT, ON_LIST

_HOLDERS = (
    " FROM (SELECT DISTINCT holder_id FROM tickets WHERE event_id = :event AND active) AS t"
    " JOIN holders AS h ON h.id = t.holder_id AND NOT h.deleted JOIN events AS e ON e.id = :event"
)
_REFUSED = (
    " LEFT JOIN LATERAL (SELECT d.answer_code, d.answer_text, d.finished_at FROM deliveries AS d"
    "  WHERE d.event_id = :event AND d.holder_id = h.id AND d.state = 'failed' AND d.address = h.email"
    "  ORDER BY d.finished_at DESC LIMIT 1) AS f ON true"
)
_UNREACHABLE = f" WHERE {ON_LIST} OR {HAS_LEFT} OR f.finished_at IS NOT NULL"
_LISTED = (
    " LEFT JOIN LATERAL (SELECT s.reason, s.detail, s.created_at FROM suppressions AS s WHERE s.address IN"
    " (lower(h.email), 'sha256:' || encode(sha256(convert_to(lower(h.email), 'UTF8')), 'hex'))"
    " LIMIT 1) AS l ON true"
)
_LIST = f"""
SELECT h.id AS holder_id, h.name, h.email AS address,
    CASE WHEN l.reason IS NOT NULL THEN l.reason WHEN f.finished_at IS NOT NULL THEN 'refused'
        ELSE 'unsubscribed' END AS reason,
    CASE WHEN l.reason IS NOT NULL THEN l.detail
        WHEN f.finished_at IS NOT NULL THEN f.answer_code || ' ' || f.answer_text ELSE '' END AS detail,
    coalesce(l.created_at, f.finished_at,
        (SELECT min(u.created_at) FROM unsubscribes AS u WHERE u.holder_id = h.id)) AS since
{_HOLDERS} {_REFUSED} {_LISTED} {_UNREACHABLE} ORDER BY h.id LIMIT :limit OFFSET :offset
"""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a mailing to everybody would be."""

    recipients: int
    suppressed: int
    unsubscribed: int
    invalid: int

    @property
    def mails(self) -> int:
        """How many would go out."""
        return self.recipients - self.suppressed - self.unsubscribed - self.invalid


def addresses_of(connection: sa.Connection, event_id: str) -> tuple[int, int, list[str]]:
    """(holders on the suppression list, unsubscribed ones, the addresses of all others)."""
    rows = connection.execute(
        sa.text(f"SELECT h.email, {ON_LIST} AS listed, {HAS_LEFT} AS has_left" + _HOLDERS),
        {"event": event_id},
    ).all()
    listed = sum(row.listed for row in rows)
    left = sum(row.has_left and not row.listed for row in rows)
    return listed, left, [row.email for row in rows if not (row.listed or row.has_left)]


def count_unreachable(connection: sa.Connection, event_id: str) -> int:
    """How many holders no reminder reaches."""
    query = "SELECT count(*)" + _HOLDERS + _REFUSED + _UNREACHABLE
    return connection.scalar(sa.text(query), {"event": event_id}) or 0


def list_unreachable(
    connection: sa.Connection, event_id: str, limit: int, offset: int
) -> list[dict[str, Any]]:
    """One page of them, each with the reason: the list, a refusal, or his own wish."""
    rows = connection.execute(sa.text(_LIST), {"event": event_id, "limit": limit, "offset": offset})
    return [dict(row._mapping) for row in rows]


def last_leaves(first: datetime, mails: int, rate: int) -> datetime | None:
    """When the last of so many mails leaves at a rate in mails per second; None without a limit."""
    if rate <= 0:
        return None
    return first + timedelta(seconds=max(0, mails - 1) / rate)


def warnings_of(outlook: Outlook, last: datetime | None, first: datetime, starts_at: datetime) -> list[str]:
    """What somebody should know before it happens."""
    found = []
    if first >= starts_at:
        found.append("The event has started: nobody will be reminded.")
    elif last is not None and last >= starts_at:
        late = int((last - starts_at).total_seconds()) + 1
        found.append(
            f"The last mail would leave {late} s after the event starts: raise MAIL_RATE_PER_SECOND."
        )
    if outlook.recipients == 0:
        found.append("Nobody holds a ticket.")
    return found
