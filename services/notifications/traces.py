"""From an order's trace to the mail it causes, also when that mail is made much later by the clock.

A ticket remembers the trace that made it known. A mail that was made in the same transaction belongs to that
trace; one that was planned later begins a trace of its own, with a link to it.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from services.notifications.model import Answer, Claim
from shared import tracing


@dataclass(frozen=True, slots=True)
class Origin:
    """The `traceparent` of the order behind a delivery, and whether the delivery was made with it."""

    traceparent: str
    direct: bool


def remember(connection: sa.Connection, ticket_id: str) -> None:
    """Notes the trace that is open here on a ticket; nothing when tracing is off."""
    if (parent := tracing.traceparent()) is not None:
        connection.execute(
            sa.text("UPDATE tickets SET trace = :trace, traced_at = now() WHERE id = :id"),
            {"trace": parent, "id": ticket_id},
        )


def origins(connection: sa.Connection, claims: Sequence[Claim]) -> dict[int, Origin]:
    """The orders behind deliveries; no query when tracing is off."""
    if not tracing.is_on() or not claims:
        return {}
    rows = connection.execute(
        sa.text(
            "SELECT DISTINCT ON (d.id) d.id, t.trace, t.traced_at = d.created_at AS direct"
            " FROM deliveries AS d JOIN tickets AS t ON t.event_id = d.event_id AND t.holder_id = d.holder_id"
            "  AND d.subject_id IN ('', t.id)"
            " WHERE d.id = ANY(:ids) AND t.trace IS NOT NULL ORDER BY d.id, direct DESC, t.traced_at"
        ),
        {"ids": [claim.id for claim in claims]},
    )
    return {row.id: Origin(row.trace, row.direct) for row in rows}


@dataclass(frozen=True, slots=True)
class Talk:
    """A talk with the mail server about one mail; times are nanoseconds since 1970."""

    claim: Claim
    answer: Answer
    begun: int
    ended: int


class Talks:
    """The talks of one sending loop. While tracing is off nothing is kept."""

    def __init__(self) -> None:
        self._begun: dict[int, int] = {}
        self._ended: list[Talk] = []

    def begin(self, claim: Claim) -> None:
        """The mail goes out now."""
        if tracing.is_on():
            self._begun[claim.id] = time.time_ns()

    def end(self, claim: Claim, answer: Answer) -> None:
        """The answer is there."""
        begun = self._begun.pop(claim.id, None)
        if begun is not None:
            self._ended.append(Talk(claim, answer, begun, time.time_ns()))

    def ended(self) -> list[Talk]:
        """Those that ended since the last call."""
        talks, self._ended = self._ended, []
        return talks


def tell(connection: sa.Connection, talks: Sequence[Talk]) -> None:
    """A span for each talk, in the trace of the order behind it or with a link to that."""
    found = origins(connection, [talk.claim for talk in talks])
    for talk in talks:
        origin = found.get(talk.claim.id)
        tracing.past_span(
            "smtp",
            "client",
            (talk.begun, talk.ended),
            parent=origin.traceparent if origin and origin.direct else None,
            links=[origin.traceparent] if origin and not origin.direct else [],
            delivery=talk.claim.id,
            event_id=talk.claim.event_id,
            smtp_code=talk.answer.code,
        )
