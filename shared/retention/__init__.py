"""Nothing grows for ever: rows are deleted when their time is over, in small batches.

settings.py  for how long what is kept    rules.py  which rows those are    pruner.py  the job
"""

from shared.retention.pruner import Pruner, start_pruning
from shared.retention.rules import Rule, consumer_rules, publisher_rules
from shared.retention.settings import Retention, read_retention

__all__ = [
    "Pruner",
    "Retention",
    "Rule",
    "consumer_rules",
    "publisher_rules",
    "read_retention",
    "start_pruning",
]
