"""Gauges that are read when Prometheus looks: with a deadline, and not again within a few seconds.

A scrape never fails and never waits longer than the deadline: a source that cannot be read is left out, and
`dicoevent_scrape_source_up` says so.
"""

import threading
import time
from collections.abc import Callable, Iterable

import httpx
import redis
import structlog
from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry
from sqlalchemy.exc import SQLAlchemyError

log = structlog.get_logger(__name__)

DEADLINE_SECONDS = 2.0
FRESH_SECONDS = 5.0

Read = Callable[[], Iterable[Metric]]
_UNREADABLE = (SQLAlchemyError, redis.RedisError, httpx.HTTPError, OSError, ValueError, LookupError)


def gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    """A gauge without labels."""
    return GaugeMetricFamily(name, text, value=value)


def gauges(name: str, text: str, label: str, values: Iterable[tuple[str, float]]) -> GaugeMetricFamily:
    """A gauge with one label."""
    family = GaugeMetricFamily(name, text, labels=[label])
    for of, value in values:
        family.add_metric([of], value)
    return family


class _Source:
    """One thing to read. At most one thread reads it, however often it is scraped."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._idle = threading.Event()
        self._idle.set()
        self._read_at = float("-inf")
        self._families: list[Metric] = []
        self._well = False

    def begin(self, fresh: float) -> None:
        with self._lock:
            if not self._idle.is_set() or time.monotonic() - self._read_at < fresh:
                return
            self._idle.clear()
        threading.Thread(target=self._run, name="scrape", daemon=True).start()

    def _run(self) -> None:
        families: list[Metric] | None = None
        try:
            families = list(self._read())
        except _UNREADABLE as error:
            log.warning("scrape.unreadable", error=f"{type(error).__name__}: {error}".strip())
        finally:
            self._families, self._well = families or [], families is not None
            self._read_at = time.monotonic()
            self._idle.set()

    def take(self, seconds: float) -> tuple[list[Metric], bool]:
        """(what was read, whether it could be read in time)."""
        if not self._idle.wait(max(0.0, seconds)):
            return [], False
        return self._families, self._well


class Sources(Collector):
    """All that is read at a scrape; they are read at the same time."""

    def __init__(self, deadline: float = DEADLINE_SECONDS, fresh: float = FRESH_SECONDS) -> None:
        self._deadline = deadline
        self._fresh = fresh
        self._sources: dict[str, _Source] = {}
        self._registered = False

    def expose(self, name: str, read: Read, registry: CollectorRegistry = REGISTRY) -> None:
        """Reads this too, from now on; a source of the same name is replaced."""
        self._sources[name] = _Source(read)
        if not self._registered:
            registry.register(self)
            self._registered = True

    def describe(self) -> Iterable[Metric]:
        # Without this the registry would read everything when it is told of it.
        return []

    def collect(self) -> Iterable[Metric]:
        sources = dict(self._sources)
        for source in sources.values():
            source.begin(self._fresh)
        end, well = time.monotonic() + self._deadline, {}
        for name, source in sources.items():
            families, well[name] = source.take(end - time.monotonic())
            yield from families
        yield gauges(
            "dicoevent_scrape_source_up",
            "1 if what is read at a scrape could be read in time.",
            "part",
            [(name, float(fine)) for name, fine in well.items()],
        )


sources = Sources()
