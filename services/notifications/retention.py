"""Which rows of notifications are over.

A ledger row goes with its event's start, never while it is open, and takes its attempts along. Suppressed
addresses and unsubscriptions are what servers and people said: they stay.
"""

from shared.retention import Retention, Rule, consumer_rules

_RUNS = """
DELETE FROM runs WHERE id IN (SELECT id FROM runs
  WHERE started_at < now() - make_interval(days => :days) LIMIT :limit)
"""
_DELIVERIES = """
DELETE FROM deliveries WHERE id IN (SELECT d.id FROM events AS e
  JOIN deliveries AS d ON d.event_id = e.id AND d.starts_at < now() - make_interval(days => :days)
  WHERE e.starts_at < now() - make_interval(days => :days)
    AND d.state NOT IN ('pending', 'claimed', 'sending', 'retry') LIMIT :limit)
"""
_PAUSES = """
DELETE FROM campaign_pauses WHERE (event_id, kind) IN (SELECT event_id, kind FROM campaign_pauses
  WHERE paused_until < now() - make_interval(days => :days) LIMIT :limit)
"""
_SCHEDULES = """
DELETE FROM reminder_schedules WHERE id IN (SELECT s.id FROM reminder_schedules AS s
  WHERE s.starts_at < now() - make_interval(days => :days) AND s.state <> 'pending'
    AND NOT EXISTS (SELECT 1 FROM deliveries AS d WHERE d.event_id = s.event_id AND d.starts_at = s.starts_at)
    AND NOT EXISTS (SELECT 1 FROM run_schedules AS r WHERE r.schedule_id = s.id) LIMIT :limit)
"""
_CONTENTS = """
DELETE FROM event_contents WHERE (event_id, version) IN (SELECT c.event_id, c.version
  FROM events AS e JOIN event_contents AS c ON c.event_id = e.id
  WHERE e.starts_at < now() - make_interval(days => :days) AND c.version <> e.sequence
    AND NOT EXISTS (SELECT 1 FROM deliveries AS d
      WHERE d.event_id = c.event_id AND d.content_version = c.version) LIMIT :limit)
"""


def rules(keep: Retention) -> list[Rule]:
    """For the database of notifications; runs go before the schedules they point to."""
    return [
        *consumer_rules(keep),
        Rule("runs", keep.runs, _RUNS),
        Rule("campaign_pauses", keep.runs, _PAUSES),
        Rule("ledger", keep.ledger, _DELIVERIES),
        Rule("schedules", keep.ledger, _SCHEDULES),
        Rule("event_contents", keep.ledger, _CONTENTS),
    ]
