"""What scripts/status shows: read from pid files, `/metrics` of each process, and the notifications database.

Each part is read for itself with a short deadline; what cannot be read is None, and the screen says so.
"""

import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg2
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.engine import make_url

from infra.local.chosen import DEFAULT_HOME
from infra.local.processes import PROGRAMS
from shared.logging.masking import mask_text

# metric name -> label values -> value
Numbers = Mapping[str, Mapping[tuple[str, ...], float]]

_SERVERS = ("postgres", "redis", "inbox")
_DUE_NEXT = (
    "SELECT e.name, s.kind, s.due_at, (SELECT count(DISTINCT holder_id) FROM tickets AS t"
    " WHERE t.event_id = s.event_id AND t.active) FROM reminder_schedules AS s JOIN events AS e"
    " ON e.id = s.event_id WHERE s.state = 'pending' ORDER BY s.due_at LIMIT 5"
)
_FAILED_LAST = (
    "SELECT finished_at, state, coalesce(answer_code::text || ' ' || answer_text, reason) FROM deliveries"
    " WHERE state IN ('failed', 'unknown') ORDER BY id DESC LIMIT 5"
)
_DEAD_LAST = (
    "SELECT received_at, 'dead letter', reason FROM dead_letters WHERE replayed_at IS NULL"
    " ORDER BY received_at DESC LIMIT 5"
)


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """A process of the pid file; `pid` is None when it does not run, `numbers` when it does not answer."""

    name: str
    pid: int | None
    up_seconds: float | None
    restarts: int
    numbers: Numbers | None
    expects_numbers: bool = True

    @property
    def health(self) -> str:
        if self.pid is None:
            return "down"
        return "ok" if self.numbers is not None or not self.expects_numbers else "no answer"


@dataclass(frozen=True, slots=True)
class Facts:
    """One frame. Rows of `due` are (event, kind, when, holders), those of `failed` (when, what, why)."""

    api_url: str
    at: datetime
    processes: list[ProcessFacts]
    due: list[tuple[str, str, datetime, int]] | None = None
    failed: list[tuple[datetime | None, str, str]] | None = None
    numbers: dict[str, dict[tuple[str, ...], float]] = field(default_factory=dict)


def gather(environment: Mapping[str, str]) -> Facts:
    """All facts of now; takes three seconds at most, however much of the system is away."""
    home = Path(environment.get("DICOEVENT_HOME") or DEFAULT_HOME).absolute()
    with ThreadPoolExecutor(len(PROGRAMS) + 1) as pool:
        database = pool.submit(_ask_database, environment.get("NOTIFICATIONS_DATABASE_URL", ""))
        ports = {program.name: environment.get(program.metrics_port, "") for program in PROGRAMS}
        pages = dict(zip(ports, pool.map(_scrape, ports.values()), strict=True))
        due, failed = database.result()
    processes = [_process(home, name, None, False) for name in _SERVERS if _was_started(home, name)]
    processes += [_process(home, name, pages[name], True) for name in pages]
    merged = together([page for page in pages.values() if page is not None])
    return Facts(environment["API_URL"], datetime.now().astimezone(), processes, due, failed, merged)


def together(pages: Sequence[Numbers]) -> dict[str, dict[tuple[str, ...], float]]:
    """The numbers of all processes; what they counted is added up, as some show counts they never touch."""
    merged: dict[str, dict[tuple[str, ...], float]] = {}
    for page in pages:
        for metric, values in page.items():
            of_all = merged.setdefault(metric, {})
            for labels, value in values.items():
                # What a process has not measured yet is not a number.
                if not math.isnan(value):
                    of_all[labels] = value + (of_all.get(labels, 0.0) if metric.endswith("_total") else 0.0)
    return merged


def _was_started(home: Path, name: str) -> bool:
    return (home / "run" / f"{name}.pid").exists() or (home / "log" / f"{name}.log").exists()


def _process(home: Path, name: str, numbers: Numbers | None, expects_numbers: bool) -> ProcessFacts:
    restarts = _restarts(home / "log" / "up.log", name)
    try:
        process = psutil.Process(int((home / "run" / f"{name}.pid").read_text()))
        if process.status() == psutil.STATUS_ZOMBIE:
            raise psutil.NoSuchProcess(process.pid)
        up = time.time() - process.create_time()
    except (OSError, ValueError, psutil.Error):
        return ProcessFacts(name, None, None, restarts, None, expects_numbers)
    return ProcessFacts(name, process.pid, up, restarts, numbers, expects_numbers)


def _restarts(log: Path, name: str) -> int:
    """How often the runner says that it started this process again; known only of `scripts/up --detach`."""
    try:
        return log.read_text("utf-8", "replace").count(f"] {name} is started again")
    except OSError:
        return 0


def _scrape(port: str) -> dict[str, dict[tuple[str, ...], float]] | None:
    if not port:
        return None
    try:
        page = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=3).raise_for_status().text
    except httpx.HTTPError:
        return None
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name.startswith("dicoevent_"):
                found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def _ask_database(url: str) -> tuple[list[Any] | None, list[Any] | None]:
    if not url:
        return None, None
    dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        connection = psycopg2.connect(dsn, connect_timeout=2, options="-c statement_timeout=2000")
    except psycopg2.Error:
        return None, None
    try:
        cursor = connection.cursor()
        cursor.execute(_DUE_NEXT)
        due = cursor.fetchall()
        failed = []
        for query in (_FAILED_LAST, _DEAD_LAST):
            cursor.execute(query)
            failed += [(when, what, mask_text(why or "")) for when, what, why in cursor.fetchall()]
    except psycopg2.Error:
        return None, None
    finally:
        connection.close()
    failed.sort(key=lambda row: row[0].timestamp() if row[0] else 0, reverse=True)
    return due, failed[:5]
