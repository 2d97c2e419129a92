"""From an order's trace to the mail it causes, also when that mail is made much later by the clock.

A ticket remembers the trace that made it known. A mail that was made in the same transaction belongs to that
trace; one that was planned later begins a trace of its own, with a link to it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
            " WHERE d.id = ANY(:ids) AND t.trace IS NOT NULL ORDER BY d.id, direct DESC, t.traced_at"
        ),
        {"ids": [claim.id for claim in claims]},
    )
    return {row.id: Origin(row.trace, row.direct) for row in rows}


@contextmanager
def handing_over(claim: Claim, origin: Origin | None) -> Iterator[list[Answer]]:
    """A span around the talk with the mail server; what is put into the list is its answer."""
    parent = origin.traceparent if origin and origin.direct else None
    links = [origin.traceparent] if origin and not origin.direct else []
    answers: list[Answer] = []
    with tracing.span(
        "smtp", "client", parent=parent, links=links, delivery=claim.id, event_id=claim.event_id
    ) as span:
        yield answers
        for answer in answers:
            span.note(smtp_code=answer.code)
