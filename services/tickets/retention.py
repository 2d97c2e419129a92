"""Which rows of tickets are over."""

from shared.retention import Retention, Rule, consumer_rules, publisher_rules

_KEYS = """
DELETE FROM idempotency_keys WHERE (caller, path, key) IN (SELECT caller, path, key FROM idempotency_keys
  WHERE created_at < now() - make_interval(days => :days) LIMIT :limit)
"""


def rules(keep: Retention) -> list[Rule]:
    """For the database of tickets. Orders and payments are the business's own and stay."""
    keys = Rule("idempotency_keys", keep.idempotency_keys, _KEYS)
    return [*publisher_rules(keep), *consumer_rules(keep), keys]
