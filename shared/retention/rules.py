"""Which rows are over: each statement deletes at most `:limit` rows that are older than `:days` days."""

from dataclasses import dataclass

from shared.retention.settings import Retention


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of rows, for how many days they are kept, and the DELETE of one batch of them."""

    name: str
    days: int
    statement: str


# From the low end, without holes: a reader takes position n + 1 for the one that follows n. What no queue has
# stays, and so does the newest row: by it readers see whether the feed is still the one they know.
_OUTBOX = """
WITH oldest AS (
  SELECT position, sent_at IS NOT NULL AND position < head
    AND created_at < now() - make_interval(days => :days) AS over
  FROM outbox, outbox_feed WHERE position IS NOT NULL ORDER BY position LIMIT :limit)
DELETE FROM outbox WHERE position IN (SELECT position FROM oldest WHERE over
  AND position < coalesce((SELECT min(position) FROM oldest WHERE NOT over), 9223372036854775807))
"""
_INBOX = """
DELETE FROM inbox WHERE (source, id) IN (SELECT source, id FROM inbox
  WHERE received_at < now() - make_interval(days => :days) ORDER BY received_at LIMIT :limit)
"""
_DEAD_LETTERS = """
DELETE FROM dead_letters WHERE id IN (SELECT id FROM dead_letters
  WHERE received_at < now() - make_interval(days => :days) ORDER BY received_at LIMIT :limit)
"""


def publisher_rules(keep: Retention) -> list[Rule]:
    """For a database with an outbox."""
    return [Rule("outbox", keep.outbox, _OUTBOX)]


def consumer_rules(keep: Retention) -> list[Rule]:
    """For a database with an inbox."""
    return [
        Rule("inbox", keep.inbox, _INBOX),
        Rule("dead_letters", keep.dead_letters, _DEAD_LETTERS),
    ]
