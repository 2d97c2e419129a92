"""The measurements measure: their plan runs and counts right. Nothing is said about speed here."""

import pytest

from tests.bench import load
from tests.bench.api import measure
from tests.bench.report import QUICK
from tests.e2e.conftest import Installation

pytestmark = pytest.mark.e2e


def test_the_bench_of_the_api_runs_and_counts_every_order(installation: Installation) -> None:
    report = measure(installation, QUICK)
    assert all(row.rate > 0 and row.failed == 0 for row in report.rows), report.text()
    assert all(sale.kept for sale in report.sales), report.text()
    assert report.sales[-1].orders == QUICK.quota


def test_a_report_of_wrk_is_read_with_its_failures() -> None:
    text = """
  Latency Distribution
     50%  925.00us
     99%    1.50s
  3000 requests in 3.00s, 2.00MB read
  Socket errors: connect 0, read 2, write 0, timeout 1
  Non-2xx or 3xx responses: 7
"""
    result = load.parse_wrk(text)
    assert (result.rate, result.p50, result.p99) == (1000, 0.925, 1500)
    assert result.statuses == {"2xx": 2990, "failed": 10}
