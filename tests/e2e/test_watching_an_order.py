"""One order followed through every process: by its trace, and by the ids in the logs.

The last of this folder's tests: what no log may hold is looked for in what all of them caused.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from shared.testing import wait_until
from tests.e2e.client import PASSWORD, make_event, must
from tests.e2e.conftest import Installation
from tests.watching.collector import Collector, Seen

pytestmark = pytest.mark.e2e

CALLER = "00-6bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE, REQUEST = CALLER.split("-")[1], "the-order-that-is-followed"

STEPS = (
    ("gateway", "POST gateway"),
    ("tickets-api", "POST /api/registrations"),
    ("tickets-api", "send ticket.ordered"),
    ("notifications-consumer", "take ticket.ordered"),
    ("notifications-delivery", "smtp"),
)


@dataclass(frozen=True)
class Followed:
    """An order whose reminder, due at once, has arrived."""

    address: str
    token: str
    event_id: str
    order_id: str
    delivery_id: int
    mail: str


@pytest.fixture(scope="module")
def followed(installation: Installation) -> Followed:
    _, organizer = installation.new_user("organizer")
    event = make_event(organizer, timedelta(hours=1))
    address, client = installation.new_user()
    headers = {"traceparent": CALLER, "X-Request-Id": REQUEST}
    body = {"ticket_id": event["ticket_id"]}
    made = must(client.post("/api/registrations/", json=body, headers=headers), 201)
    wait_until(lambda: installation.mails(address), "the reminder")
    engine = sa.create_engine(installation.env["NOTIFICATIONS_DATABASE_URL"])
    with engine.connect() as connection:
        query = "SELECT id FROM deliveries WHERE event_id = :event"
        delivery = connection.execute(sa.text(query), {"event": event["id"]}).scalar_one()
    engine.dispose()
    token = client.headers["Authorization"].removeprefix("Bearer ")
    mail = installation.text(installation.mails(address)[0])
    return Followed(address, token, event["id"], made["id"], delivery, mail)


def test_one_trace_leads_through_all_processes_to_the_mail_servers_answer(
    followed: Followed, collector: Collector
) -> None:
    def trace() -> dict[tuple[str, str], Seen]:
        return {(span.process, span.name): span for span in collector.spans if span.trace == TRACE}

    wait_until(lambda: set(STEPS) <= set(trace()), "all steps are told")
    found = trace()
    gateway, api, sent, took, smtp = (found[step] for step in STEPS)
    assert gateway.parent == CALLER.split("-")[2], "the caller's trace is continued"
    assert api.parent == gateway.span
    assert {sent.parent, took.parent} == {api.span}
    assert smtp.parent == took.span
    assert "int_value: 250" in smtp.text


def test_the_gateway_begins_a_trace_where_the_caller_has_none(
    installation: Installation, collector: Collector
) -> None:
    installation.as_user("root").close()

    def begun() -> bool:
        roots = {span.span: span.trace for span in collector.named("POST gateway") if not span.parent}
        logins = [span for span in collector.named("POST /api/login") if span.process == "accounts-api"]
        return any(roots.get(span.parent) == span.trace for span in logins)

    wait_until(begun, "a login whose trace begins at the gateway")


def lines(installation: Installation, process: str) -> Iterator[dict[str, Any]]:
    for line in (installation.home / "log" / f"{process}.log").read_text().splitlines():
        if line.startswith("{"):
            yield json.loads(line)


def test_ids_in_the_logs_lead_from_the_request_to_the_delivery(
    installation: Installation, followed: Followed
) -> None:
    def of_request(process: str) -> list[dict[str, Any]]:
        return [line for line in lines(installation, process) if line.get("request_id") == REQUEST]

    wait_until(lambda: of_request("gateway"), "the gateway's line of the request")
    wait_until(lambda: of_request("notifications-consumer"), "the consumer's line of the message")
    [taken] = of_request("notifications-consumer")
    assert (taken["type"], taken["event_id"]) == ("ticket.ordered", followed.event_id)
    assert taken["message_id"]
    rounds = lines(installation, "notifications-delivery")
    [sent] = [line for line in rounds if followed.delivery_id in line.get("deliveries", ())]
    assert followed.event_id in sent["events"]


# An address or a token must not be in a log, in whatever shape; a node of Celery is no address.
ADDRESS = re.compile(r"[\w.+-]+@(?:[\w-]+\.)+[a-z]{2,}")
TOKEN = re.compile(r"eyJ[\w-]{10,}\.|/unsubscribe/[\w-]{8,}")


def test_no_log_of_any_process_holds_an_address_a_token_or_a_password(
    installation: Installation, followed: Followed
) -> None:
    unsubscribe = followed.mail.partition("/unsubscribe/")[2].split()[0]
    secrets = [line.partition("=")[2].strip() for line in _lines(installation, "secrets.env") if "=" in line]
    hidden = [followed.address, followed.token, unsubscribe, PASSWORD, *(s for s in secrets if len(s) > 10)]
    logs = [path for path in (installation.home / "log").iterdir() if path.name != "up.log"]
    assert {"gateway.log", "accounts-api.log", "notifications-delivery.log"} <= {path.name for path in logs}
    for path in logs:
        text = path.read_text()
        assert not [what for what in hidden if what in text], path.name
        assert not ADDRESS.search(text), f"{path.name}: {ADDRESS.search(text)}"
        assert not TOKEN.search(text), f"{path.name}: {TOKEN.search(text)}"


def _lines(installation: Installation, name: str) -> list[str]:
    return (installation.home / name).read_text().splitlines()
