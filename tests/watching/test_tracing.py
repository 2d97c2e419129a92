"""One trace from the request to the mail server's answer; and when it is off, nothing at all."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from services.notifications.settings import read_mail
from services.notifications.tests.integration.conftest import World
from shared import tracing
from shared.http import make_api
from shared.messages import Message
from shared.messages.catalogue import TicketOrdered
from shared.outbox import Relay, publish
from shared.settings import SettingError
from shared.testing import RecordingMailServer, example
from shared.tracing.recorder import OpenTelemetryRecorder, read_traceparent
from tests.watching.collector import Collector
from tests.watching.names import ROOT

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector
    tracing.use(None)


@pytest.fixture
def flush(collector: Collector) -> Callable[[], None]:
    recorder = OpenTelemetryRecorder("probe", collector.url)
    tracing.use(recorder)
    return lambda: recorder.provider.force_flush(10_000)


@pytest.fixture
def world(make_service_engine: Callable[[str], sa.Engine]) -> Iterator[World]:
    with RecordingMailServer() as server:
        mail = read_mail({"MAIL_HOST": "127.0.0.1", "MAIL_PORT": str(server.port)})
        yield World(make_service_engine("notifications"), server, mail)


def shop(tickets: sa.Engine, starts_in: timedelta) -> TestClient:
    """An API with one call: an order."""
    app = make_api("shop", {})

    @app.post("/orders/{name}")
    def order(name: str) -> None:
        data = example("ticket.ordered")["data"]
        data["event"].update(starts_at=(datetime.now(UTC) + starts_in).isoformat(), ends_at=None)
        data["holder"]["email"] = f"{name}@dicoevent.example"
        message = Message("ticket.ordered", "t", 1, TicketOrdered.model_validate(data))
        with tickets.begin() as connection:
            publish(connection, "/tickets", [message])

    return TestClient(app)


class Line:
    """Queue and consumer in one: what is sent is received."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.envelopes: list[dict[str, Any]] = []

    def send(self, messages: Sequence[tuple[str, dict[str, Any]]]) -> None:
        self.envelopes += [envelope for _, envelope in messages]

    def arrive(self) -> None:
        for envelope in self.envelopes:
            self._world.receive(envelope)


def order_and_consume(tickets: sa.Engine, world: World, starts_in: timedelta) -> None:
    shop(tickets, starts_in).post("/orders/sari", headers={"traceparent": CALLER})
    line = Line(world)
    Relay(tickets, tickets.url.render_as_string(hide_password=False), line).relay_once()
    line.arrive()


def test_a_reminder_that_an_order_causes_at_once_is_in_the_orders_trace(
    make_service_engine: Callable[[str], sa.Engine], world: World, collector: Collector, flush: Callable
) -> None:
    world.receive(planned(timedelta(hours=1)))
    world.deliver()
    order_and_consume(make_service_engine("tickets"), world, timedelta(hours=1))
    world.deliver()
    flush()
    steps = ["POST /orders/{name}", "send ticket.ordered", "take ticket.ordered"]
    found = {span.name: span for span in collector.spans if span.trace == TRACE}
    assert set(steps) <= set(found)
    assert found["POST /orders/{name}"].parent == "b7ad6b7169203331"
    assert found["take ticket.ordered"].parent == found["POST /orders/{name}"].span
    assert found["smtp"].parent == found["take ticket.ordered"].span
    assert "int_value: 250" in found["smtp"].text


def planned(starts_in: timedelta) -> dict[str, Any]:
    """Somebody else's order of the same event, so that its reminders are planned already."""
    message = example("ticket.ordered")
    start = (datetime.now(UTC) + starts_in).isoformat()
    message["data"]["event"].update(starts_at=start, ends_at=None)
    message["data"]["holder"].update(id="other", email="other@dicoevent.example")
    message["data"]["ticket"]["id"] = "other"
    return message


def test_a_reminder_that_the_clock_causes_has_a_link_to_the_order(
    make_service_engine: Callable[[str], sa.Engine], world: World, collector: Collector, flush: Callable
) -> None:
    order_and_consume(make_service_engine("tickets"), world, timedelta(hours=3))
    world.later(timedelta(hours=2))
    world.deliver()
    flush()
    [smtp] = collector.named("smtp")
    assert smtp.trace != TRACE
    assert smtp.links == (TRACE,)


def test_no_address_goes_into_a_trace(
    make_service_engine: Callable[[str], sa.Engine], world: World, collector: Collector, flush: Callable
) -> None:
    order_and_consume(make_service_engine("tickets"), world, timedelta(hours=1))
    world.deliver()
    with pytest.raises(ValueError, match="sari"), tracing.span("failing"):
        raise ValueError("sari@dicoevent.example")
    flush()
    assert collector.named("failing")
    assert not [span for span in collector.spans if "sari" in span.text]


# redis-py imports opentelemetry.sdk.metrics by itself wherever the SDK is installed; that is not ours.
PROGRAM = """
import sys
from fastapi.testclient import TestClient
from shared import tracing, watching
from shared.http import make_api
import services.notifications.bootstrap, services.tickets.bootstrap, services.notifications.delivery
import gateway.bootstrap
watching.start("probe", {env!r})
app = make_api("probe", {{}})
app.get("/x")(lambda: "x")
assert TestClient(app).get("/x", headers={{"traceparent": "{caller}"}}).status_code == 200
with tracing.span("inner"):
    recording = ("opentelemetry.sdk.trace", "opentelemetry.exporter")
    print(tracing.traceparent(), any(m.startswith(recording) for m in sys.modules))
"""


def run(**env: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(env=env, caller=CALLER)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()[-1]


def test_when_it_is_off_nothing_that_records_is_even_imported() -> None:
    assert run() == "None False"


def test_a_process_that_ends_in_order_sends_what_it_has(collector: Collector) -> None:
    assert run(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url).endswith("True")
    assert {span.name: span.process for span in collector.spans} == {"GET /x": "probe", "inner": "probe"}
    assert collector.named("GET /x")[0].trace == TRACE


@pytest.mark.parametrize("text", [None, "", "x", CALLER[:-1], "00-" + "0" * 32 + "-b7ad6b7169203331-01"])
def test_a_malformed_traceparent_is_no_error(text: str | None) -> None:
    assert read_traceparent(text) is None


def test_an_endpoint_that_is_no_url_is_named() -> None:
    with pytest.raises(SettingError, match="OTEL_EXPORTER_OTLP_ENDPOINT"):
        tracing.start("probe", {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"})
