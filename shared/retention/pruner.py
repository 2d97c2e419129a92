"""The pruning job: a thread of a service's API. Any number may run, one of them works."""

import threading
from collections.abc import Sequence

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.metrics.instruments import pruned_rows
from shared.retention.rules import Rule

log = structlog.get_logger(__name__)

BATCH = 5000
EVERY_SECONDS = 3600.0
# Room for other writers between two batches.
_PAUSE_SECONDS = 0.1
_BATCHES_AT_ONCE = 1000
_LOCK = 0x0D1C1


class Pruner(threading.Thread):
    """Applies `rules` every hour, as long as the process lives; each batch is a transaction."""

    def __init__(self, engine: sa.Engine, rules: Sequence[Rule], every: float = EVERY_SECONDS) -> None:
        super().__init__(name="pruner", daemon=True)
        self._engine = engine
        self._rules = rules
        self._every = every
        self._stop_asked = threading.Event()
        for rule in rules:
            pruned_rows.labels(rule.name)

    def run(self) -> None:
        while not self._stop_asked.wait(self._every):
            self.prune()

    def stop(self) -> None:
        """Ends after the batch in hand."""
        self._stop_asked.set()

    def prune(self) -> dict[str, int]:
        """Applies every rule once; returns how many rows each deleted."""
        deleted = {}
        for rule in self._rules:
            try:
                deleted[rule.name] = self._apply(rule)
            except (DBAPIError, PoolTimeout) as error:
                log.warning("retention.database_away", rule=rule.name, error=str(error).strip())
            else:
                if deleted[rule.name]:
                    log.info("retention.pruned", rule=rule.name, rows=deleted[rule.name])
        return deleted

    def _apply(self, rule: Rule) -> int:
        total = 0
        for _ in range(_BATCHES_AT_ONCE):
            deleted = self._delete_batch(rule)
            pruned_rows.labels(rule.name).inc(deleted)
            total += deleted
            if deleted < BATCH or self._stop_asked.wait(_PAUSE_SECONDS):
                break
        return total

    def _delete_batch(self, rule: Rule) -> int:
        with self._engine.begin() as connection:
            if not connection.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(_LOCK))):
                return 0
            values = {"days": rule.days, "limit": BATCH}
            return connection.execute(sa.text(rule.statement), values).rowcount


def start_pruning(engine: sa.Engine, rules: Sequence[Rule]) -> Pruner:
    """A pruner that works beside everything else until the process ends."""
    pruner = Pruner(engine, rules)
    pruner.start()
    return pruner
