"""Pull any plug: no reminder is lost."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import redis
from celery import Celery

from shared.testing import example, wait_until
from tests.e2e.client import RunningSystem, make_event, must, order
from tests.e2e.conftest import CONNECTIONS, Installation

pytestmark = pytest.mark.e2e


def inject_holders(system: RunningSystem, event_id: str, count: int) -> list[str]:
    """Puts `count` orders on the queue for an event that starts in an hour; returns the addresses."""
    app = Celery(broker=system.env["CELERY_BROKER_URL"])
    starts_at = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    addresses = []
    for n in range(count):
        message = example("ticket.ordered")
        message["data"]["event"].update(id=event_id, starts_at=starts_at, ends_at=None)
        address = f"{event_id}-{n}@dicoevent.example"
        message["data"]["holder"].update(id=f"{event_id}-{n}", email=address)
        message["data"]["ticket"]["id"] = f"{event_id}-{n}"
        app.send_task("ticket.ordered", args=[message], queue="notifications")
        addresses.append(address)
    return addresses


def counts(installation: Installation, addresses: list[str]) -> Counter:
    return Counter(mail["To"][0]["Address"] for mail in installation.mails(*addresses))


def test_kill_9_of_the_delivery_worker_in_mid_run_loses_nothing(installation: Installation) -> None:
    addresses = inject_holders(installation, "killed", 300)
    wait_until(lambda: len(counts(installation, addresses)) > 20, "some were reminded")
    installation.kill("notifications-delivery")
    wait_until(lambda: len(counts(installation, addresses)) == 300, "all were reminded", 60)
    doubles = sum(n - 1 for n in counts(installation, addresses).values())
    assert doubles <= CONNECTIONS


def test_kill_9_of_redis_loses_nothing(installation: Installation) -> None:
    _, organizer = installation.new_user("organizer")
    event = make_event(organizer, timedelta(hours=1))
    people = [installation.new_user() for _ in range(4)]
    for number, (_, client) in enumerate(people):
        order(client, event)
        if number == 1:
            installation.kill("redis")
    addresses = [address for address, _ in people]
    wait_until(lambda: len(counts(installation, addresses)) == 4, "all were reminded", 60)
    assert set(counts(installation, addresses).values()) == {1}


def test_flushall_loses_nothing(installation: Installation) -> None:
    _, organizer = installation.new_user("organizer")
    event = make_event(organizer, timedelta(hours=1))
    client_of_redis = redis.Redis.from_url(installation.env["CELERY_BROKER_URL"])
    people = [installation.new_user() for _ in range(4)]
    for _, client in people:
        order(client, event)
        client_of_redis.flushall()
    addresses = [address for address, _ in people]
    wait_until(lambda: len(counts(installation, addresses)) == 4, "all were reminded", 60)
    assert set(counts(installation, addresses).values()) == {1}


def test_a_restart_finds_its_data_and_reminds_nobody_again(installation: Installation) -> None:
    _, organizer = installation.new_user("organizer")
    event = make_event(organizer, timedelta(hours=1))
    address, client = installation.new_user()
    order(client, event)
    wait_until(lambda: installation.mails(address), "the reminder")
    installation.down()
    installation.up()
    root = installation.as_user("root")
    assert must(root.get(f"/api/events/{event['id']}/"), 200)["name"] == event["name"]
    run = must(root.post("/api/events/send-reminders/", json={"event_id": event["id"]}), 202)["task_id"]
    path = f"/api/notifications/runs/{run}/"
    wait_until(lambda: must(root.get(path), 200)["state"] == "finished", "the run is finished")
    assert must(root.get(path), 200)["accepted"] == 1
    assert len(installation.mails(address)) == 1
