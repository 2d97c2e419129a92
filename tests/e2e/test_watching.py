"""What the processes of a running system show of themselves."""

from datetime import timedelta

import httpx
import pytest
import sqlalchemy as sa
from prometheus_client import Counter
from prometheus_client.parser import text_string_to_metric_families

from infra.local.processes import PROGRAMS
from services.notifications import metrics
from shared.metrics import instruments
from shared.testing import wait_until
from tests.e2e.client import make_event, order
from tests.e2e.conftest import Installation
from tests.watching.names import expressions, labels_of, metrics_of

pytestmark = pytest.mark.e2e


def scrape(installation: Installation, port: str) -> str:
    answer = httpx.get(f"http://127.0.0.1:{installation.env[port]}/metrics", timeout=20)
    assert answer.status_code == 200
    return answer.text


def test_every_process_shows_its_numbers(installation: Installation) -> None:
    for program in PROGRAMS:
        page = scrape(installation, program.metrics_port)
        assert "process_resident_memory_bytes" in page, program.name
        assert 'dicoevent_scrape_source_up{part="' in page or program.name.endswith(
            ("gateway", "delivery", "beat")
        ), program.name


def test_every_metric_of_the_alerts_and_the_dashboard_is_exported(installation: Installation) -> None:
    exported = {"up"}
    for program in PROGRAMS:
        for family in text_string_to_metric_families(scrape(installation, program.metrics_port)):
            exported |= {sample.name for sample in family.samples}
            # A labelled counter that has counted nothing yet has no sample, but its type is told.
            suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
            exported |= {family.name + suffix for suffix in suffixes.get(family.type, ("",))}
    used = {name for expression in expressions() for name in metrics_of(expression)}
    assert used - exported == set()


def test_every_label_that_the_alerts_and_the_dashboard_expect_is_on_its_metric(
    installation: Installation,
) -> None:
    labels: dict[str, set[str]] = {}
    for program in PROGRAMS:
        for family in text_string_to_metric_families(scrape(installation, program.metrics_port)):
            for sample in family.samples:
                labels.setdefault(sample.name, set()).update(sample.labels)
    # What nothing was counted of yet shows no labels: what it will have, it says where it is made.
    for name, declared in declared_labels().items():
        labels.setdefault(name, declared)
    wrong = {
        (metric, label)
        for expression in expressions()
        for metric, expected in labels_of(expression).items()
        for label in expected - labels.get(metric, set())
    }
    assert wrong == set()


def declared_labels() -> dict[str, set[str]]:
    """Sample name -> the labels of our counters."""
    made = [value for module in (instruments, metrics) for value in vars(module).values()]
    counters = [value for value in made if isinstance(value, Counter)]
    return {f"{counter._name}_total": set(counter._labelnames) for counter in counters}


def test_the_public_address_does_not_show_them(installation: Installation) -> None:
    for path in ("/metrics", "/internal/feed", "/api/metrics"):
        assert httpx.get(installation.env["API_URL"] + path, timeout=20).status_code == 404


def test_the_status_screen_shows_every_process(installation: Installation) -> None:
    result = installation.run("infra.local.status", "--once")
    assert result.returncode == 0, result.stderr
    for program in PROGRAMS:
        assert program.name in result.stdout
    assert "all processes are well" in result.stdout


def test_a_projection_is_rebuilt_while_the_system_runs(installation: Installation) -> None:
    _, organizer = installation.new_user("organizer")
    event = make_event(organizer, timedelta(hours=9))
    _, client = installation.new_user()
    ticket = order(client, event)["id"]
    engine = sa.create_engine(installation.env["NOTIFICATIONS_DATABASE_URL"])
    query = sa.text("SELECT active FROM tickets WHERE id = :id")

    def admits() -> bool | None:
        with engine.connect() as connection:
            return connection.scalar(query, {"id": ticket})

    wait_until(admits, "the ticket is known")
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE tickets SET active = false WHERE id = :id"), {"id": ticket})
    result = installation.run("infra.local.rebuild", "notifications")
    assert result.returncode == 0, result.stderr
    assert admits()
    engine.dispose()
