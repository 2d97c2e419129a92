"""A smooth turn in one statement: what was accepted is recorded, and what is due next is `sending`.

`pending` becomes `sending` without a stop at `claimed`: free connections wait for these mails. This goes over
a connection of its own, by a statement that PostgreSQL has parsed and planned once: in the inner loop
SQLAlchemy and the planner cost more than the rows.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa

from services.notifications import leases
from services.notifications.leases import FACTS, LATE, TAKEN, Place, Taken, Version
from services.notifications.model import Answer, Claim, Content
from services.notifications.settings import ReminderSettings
from services.notifications.store import database_now

Accepted = tuple[Claim, Answer]

# Every row is found by an index: a plan made while a table was empty must stay good when it is not. Before
# version 18 what is off but has no alternative counts as so dear that the JIT compiler would set to work.
_SETTINGS = (
    "SET plan_cache_mode = force_generic_plan; SET jit = off; SET enable_seqscan = off;"
    " SET enable_bitmapscan = off; SET enable_sort = off; SET enable_hashjoin = off;"
    " SET enable_mergejoin = off"
)
_CONTENTS_SECONDS = 5.0
_FACTS = 22

_PREPARE = f"""
PREPARE turn (bigint[], bigint[], int[], text[], interval, interval, timestamptz, bigint, int) AS
WITH clock AS MATERIALIZED (SELECT clock_timestamp() + $5 AS now),
done AS (
    UPDATE deliveries AS d SET state = 'accepted', answer_code = r.code, answer_text = r.answer,
        lease_until = NULL, reason = '', finished_at = (SELECT now FROM clock)
    FROM unnest($1, $2, $3, $4) AS r(id, fence, code, answer)
    WHERE d.id = r.id AND d.fence = r.fence AND d.state IN ('sending', 'retry', 'unknown', 'expired')
    RETURNING d.id, {LATE} AS late),
due AS MATERIALIZED (
    SELECT d.id, d.next_attempt_at, d.frozen, d.attempts, p.paused_until FROM deliveries AS d
    LEFT JOIN campaign_pauses AS p ON p.event_id = d.event_id AND p.kind = d.kind
        AND p.paused_until > (SELECT now FROM clock)
    WHERE d.state IN ('pending', 'retry') AND d.next_attempt_at <= (SELECT now FROM clock)
        AND d.useless_after > (SELECT now FROM clock) AND (d.next_attempt_at, d.id) > ($7, $8)
    ORDER BY d.next_attempt_at, d.id LIMIT $9 FOR UPDATE OF d SKIP LOCKED),
rested AS (
    UPDATE deliveries AS d SET next_attempt_at = due.paused_until
    FROM due WHERE d.id = due.id AND due.paused_until IS NOT NULL),
marked AS (
    UPDATE deliveries AS d SET state = 'sending', attempts = d.attempts + 1, sending_at = c.now,
        frozen = true,
        {TAKEN.format(now="c.now", until="c.now + $6")}
    FROM due, clock AS c, holders AS h, events AS e
    WHERE d.id = due.id AND due.paused_until IS NULL AND h.id = d.holder_id AND e.id = d.event_id
    RETURNING {FACTS.format(attempts="due.attempts", frozen="due.frozen")})
SELECT *, NULL::bigint[], NULL::float[], NULL::bigint[], NULL::bigint[], NULL::timestamptz FROM marked
UNION ALL SELECT {"NULL, " * _FACTS}
    (SELECT array_agg(id) FROM done), (SELECT array_agg(late) FROM done), (SELECT array_agg(id) FROM due),
    (SELECT array_agg(id) FROM due WHERE paused_until IS NULL), (SELECT max(next_attempt_at) FROM due)
"""
_EXECUTE = "BEGIN; EXECUTE turn(%s, %s, %s, %s, %s, %s, %s, %s, %s)"


class Turned(NamedTuple):
    """What a turn brought: the ids that were recorded, with how late they were in seconds, and new claims."""

    kept: dict[int, float | None]
    taken: Taken


@dataclass(slots=True)
class Turns:
    """One thread at a time may take turns here. After an error the next turn begins on a new connection."""

    engine: sa.Engine
    settings: ReminderSettings
    _connection: sa.Connection | None = None
    # Claims of a commit of which nobody knows whether it happened.
    _doubtful: list[Claim] = field(default_factory=list)
    _contents: dict[Version, Content] = field(default_factory=dict)
    _contents_until: float = 0.0

    def take(self, accepted: Sequence[Accepted], limit: int, after: Place | None) -> Turned:
        """Records `accepted` and marks up to `limit` due deliveries behind `after` `sending`, in one commit.

        The same call again after an error does nothing twice, and finds what the first one had marked.
        """
        try:
            connection = self._connection or self._open()
            mine = self._settle(connection) if self._doubtful else []
            turned = self._turn(connection, accepted, 0 if mine else limit, after)
            if mine:
                turned = Turned(turned.kept, Taken(mine, limit, after))
            self._doubtful = turned.taken.claims
            connection.exec_driver_sql("COMMIT")
        except BaseException:
            self.close()
            raise
        self._doubtful = []
        return turned

    def close(self) -> None:
        """Gives up the connection; the next turn opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _open(self) -> sa.Connection:
        connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()  # its settings are for nobody else
        self._connection = connection
        connection.exec_driver_sql(_SETTINGS)
        connection.exec_driver_sql(_PREPARE)
        return connection

    def _settle(self, connection: sa.Connection) -> list[Claim]:
        """Those that a commit in doubt has marked; waits until it is over."""
        now = database_now(connection, self.settings.clock_offset)
        mine = leases.still_sending(connection, self._doubtful, now, self.settings.lease)
        return [claim for claim in self._doubtful if claim.id in mine]

    def _turn(
        self, connection: sa.Connection, accepted: Sequence[Accepted], limit: int, after: Place | None
    ) -> Turned:
        at, id_ = after or ("-infinity", 0)
        values = (
            [c.id for c, _ in accepted],
            [c.fence for c, _ in accepted],
            [a.code for _, a in accepted],
            [a.text[:500] for _, a in accepted],
            self.settings.clock_offset,
            self.settings.lease,
            at,
            id_,
            limit,
        )
        cursor = connection.connection.cursor()
        cursor.execute(_EXECUTE, values)
        *rows, summary = cursor.fetchall()
        cursor.close()
        recorded, lates, seen, wanted, last_at = summary[_FACTS:]
        claims = self._claims(connection, rows)
        if len(claims) < len(wanted or ()):
            now = database_now(connection, self.settings.clock_offset)
            leases.fail_unknown(connection, set(wanted) - {claim.id for claim in claims}, now)
        taken = Taken(claims, len(seen or ()), (last_at, seen[-1]) if seen else None)
        return Turned(dict(zip(recorded or (), lates or (), strict=True)), taken)

    def _claims(self, connection: sa.Connection, rows: Sequence[Sequence[Any]]) -> list[Claim]:
        if time.monotonic() > self._contents_until:
            self._contents.clear()
            self._contents_until = time.monotonic() + _CONTENTS_SECONDS
        if missing := leases.versions_of(rows) - self._contents.keys():
            self._contents |= leases.find_contents(connection, missing)
        claims = [leases.claim_of(row, self._contents) for row in rows]
        return [claim for claim in claims if claim is not None]
