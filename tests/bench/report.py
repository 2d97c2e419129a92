"""What a measurement of the API found, where it was, and how it is printed."""

import os
import platform
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tests.bench import load
from tests.bench.load import Result


@dataclass(frozen=True)
class Plan:
    """How long is measured; `quota` is what the hot type of the sell-out has."""

    rounds: int = 3
    seconds: float = 5.0
    clients: int = 16
    users: int = 16
    types: int = 100
    quota: int = 500
    listed: int = 100


QUICK = Plan(rounds=1, seconds=0.3, users=2, types=4, quota=20, listed=10)


@dataclass(frozen=True)
class Row:
    """One measured thing; the median of its rounds. `ratio` is to its yardstick in the same round."""

    name: str
    results: Sequence[Result]
    ratio: float | None = None
    goal: str = ""

    @property
    def rate(self) -> float:
        return statistics.median(result.rate for result in self.results)

    def line(self) -> str:
        p50, p99 = (statistics.median(getattr(r, p) for r in self.results) for p in ("p50", "p99"))
        ratio = f"{self.ratio:.2f}" if self.ratio is not None else ""
        failed = "" if self.failed == 0 else f"  {self.failed} FAILED"
        return (
            f"{self.name:<44}{self.rate:>8.0f}{p50:>9.1f}{p99:>9.1f}{ratio:>8}  {self.goal}{failed}".rstrip()
        )

    @property
    def failed(self) -> int:
        """Answers that were no success."""
        good = ("2xx", "200", "201")
        return sum(
            n for result in self.results for status, n in result.statuses.items() if status not in good
        )


@dataclass(frozen=True)
class Sale:
    """What a sale left: successes told to the clients, and what the database says."""

    told: int
    orders: int
    outbox: int
    quota: int | None = None

    @property
    def kept(self) -> bool:
        return self.told == self.orders == self.outbox and self.quota in (None, self.orders)


@dataclass(frozen=True)
class Report:
    """Everything that was measured, and where."""

    rows: Sequence[Row]
    sales: Sequence[Sale]
    notes: Sequence[str]

    def text(self) -> str:
        head = f"{'':<44}{'per s':>8}{'p50 ms':>9}{'p99 ms':>9}{'ratio':>8}  goal"
        sales = [
            f"  {sale.told} orders told, {sale.orders} in the database, {sale.outbox} outbox rows"
            + (f", quota {sale.quota}" if sale.quota else "")
            + (": exact" if sale.kept else ": WRONG")
            for sale in self.sales
        ]
        return "\n".join([*self.notes, "", head, *(row.line() for row in self.rows), "", *sales, ""])


def machine(plan: Plan, load_before: float) -> list[str]:
    """Cores, memory, versions, who made the load: what a figure means nothing without."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ("aiohttp", "fastapi", "uvicorn", "uvloop", "sqlalchemy", "redis")
    return [
        f"{len(os.sched_getaffinity(0))} cores of {model}, {memory:.0f} GB, load before {load_before:.2f}",
        f"Python {platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in packages),
        f"{_nginx_version()}; reads by {load.reader_name()}, orders by the client of tests/bench/load.py",
        f"{plan.clients} keep-alive clients, {plan.rounds} interleaved rounds of {plan.seconds:g} s; medians",
    ]


def _nginx_version() -> str:
    path = {"PATH": f"{os.environ['PATH']}:/usr/sbin"}
    try:
        said = subprocess.run(
            ["nginx", "-v"], env=path, capture_output=True, text=True, timeout=10, check=False
        )
    except FileNotFoundError:
        return "no nginx"
    return said.stderr.strip().removeprefix("nginx version: ")


def _lines(file: str) -> list[str]:
    return Path(file).read_text().splitlines() if Path(file).exists() else []
