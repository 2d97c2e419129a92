"""What an operator is promised of `docker compose`, on a real engine."""

import subprocess
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest
import yaml

from shared.testing import wait_until
from tests.compose.conftest import ONE_SHOTS, Composition, inspect
from tests.e2e.client import ROOT, make_event, must
from tests.e2e.test_outages import inject_holders

SERVICES = sorted(set(yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]) - set(ONE_SHOTS))
PEOPLE = 10
# At most one copy for each SMTP connection that was open at a kill -9 (RFC 1047).
CONNECTIONS = 8

Person = tuple[str, httpx.Client]


@pytest.fixture(scope="session")
def people(composition: Composition) -> list[Person]:
    return [composition.new_user() for _ in range(PEOPLE)]


@pytest.fixture(scope="session")
def organizer(composition: Composition) -> httpx.Client:
    return composition.new_user("organizer")[1]


def order_at_last(person: Person, event: dict[str, Any]) -> None:
    """One order, tried until it is taken: what a customer does while something is down."""

    def ordered() -> bool:
        try:
            answer = person[1].post("/api/registrations/", json={"ticket_id": event["ticket_id"]})
        except httpx.TransportError:
            return False
        return answer.status_code == 201

    wait_until(ordered, f"the order of {person[0]} is taken", 90)


def counts(composition: Composition, addresses: list[str]) -> Counter:
    """address -> reminders that came; nothing while the inbox itself is down."""
    try:
        return Counter(mail["To"][0]["Address"] for mail in composition.mails(*addresses))
    except httpx.TransportError:
        return Counter()


def reminded(composition: Composition, addresses: list[str], event: dict[str, Any]) -> Counter:
    """address -> reminders of this event that came."""
    try:
        mails = composition.mails(*addresses)
    except httpx.TransportError:
        return Counter()
    return Counter(m["To"][0]["Address"] for m in mails if event["name"] in m["Subject"])


def test_one_command_goes_from_nothing_to_delivered_reminders(composition: Composition) -> None:
    result = composition.compose("run", "--rm", "tests", seconds=600)
    assert result.returncode == 0, (result.stdout + result.stderr)[-6000:]


def test_no_process_of_ours_can_write_to_its_image_or_is_root(composition: Composition) -> None:
    for service in composition.services():
        [container, *_] = composition.containers(service)
        if not inspect(container, "{{.Config.Image}}").startswith("dicoevent"):
            continue
        assert inspect(container, "{{.HostConfig.ReadonlyRootfs}}") == "true", service
        assert inspect(container, "{{.Config.User}}").split(":")[0] not in ("", "0"), service
        assert int(inspect(container, "{{.HostConfig.Memory}}")) > 0, service


def test_no_compiler_and_no_pip_is_left_in_the_image(composition: Composition) -> None:
    [container] = composition.containers("gateway")
    look = "command -v gcc cc g++ make; python -c 'import pip'"
    command = ["docker", "exec", container, "sh", "-c", look]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.stdout == ""
    assert "No module named 'pip'" in result.stderr


def test_nobody_can_read_the_secrets_of_another(composition: Composition) -> None:
    [container] = composition.containers("tickets-api")
    look = "cat /run/dicoevent/secrets.env /run/dicoevent/accounts/* /run/dicoevent/db/*"
    command = ["docker", "exec", container, "sh", "-c", look]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.stdout == ""
    assert result.returncode != 0


@pytest.mark.parametrize("service", SERVICES)
def test_killing_any_one_container_loses_nothing(
    composition: Composition, people: list[Person], organizer: httpx.Client, service: str
) -> None:
    event = make_event(organizer, timedelta(hours=1))
    half = threading.Barrier(PEOPLE // 2 + 1)

    def order(number: int) -> None:
        if number >= PEOPLE // 2:
            half.wait(60)
        order_at_last(people[number], event)

    with ThreadPoolExecutor(PEOPLE) as pool:
        orders = [pool.submit(order, number) for number in range(PEOPLE)]
        half.wait(60)
        composition.kill(service)
        for done in orders:
            done.result()
    addresses = [address for address, _ in people]
    wait_until(lambda: len(reminded(composition, addresses, event)) == PEOPLE, "everyone is reminded", 120)
    doubles = sum(n - 1 for n in reminded(composition, addresses, event).values())
    assert doubles <= (CONNECTIONS if service in ("notifications-delivery", "inbox") else 0)
    composition.wait_healthy()


def test_an_update_in_the_middle_of_a_fan_out_loses_and_doubles_nothing(composition: Composition) -> None:
    addresses = inject_holders(composition, "updated", 400)
    wait_until(lambda: len(counts(composition, addresses)) > 20, "some were reminded", 60)
    before = inspect(composition.containers("notifications-delivery")[0], "{{.Image}}")
    composition.variables["VERSION"] = f"{composition.project}-next"
    composition.up()
    assert inspect(composition.containers("notifications-delivery")[0], "{{.Image}}") != before
    wait_until(lambda: len(counts(composition, addresses)) == 400, "all were reminded", 120)
    assert set(counts(composition, addresses).values()) == {1}


def test_down_and_up_keep_everything(
    composition: Composition, people: list[Person], organizer: httpx.Client
) -> None:
    event = make_event(organizer, timedelta(hours=1))
    order_at_last(people[0], event)
    address = people[0][0]
    wait_until(lambda: reminded(composition, [address], event)[address] == 1, "the reminder", 60)
    composition.must("down")
    composition.up()
    root = composition.as_user("root")
    assert must(root.get(f"/api/events/{event['id']}/"), 200)["name"] == event["name"]
    run = must(root.post("/api/events/send-reminders/", json={"event_id": event["id"]}), 202)["task_id"]
    path = f"/api/notifications/runs/{run}/"
    wait_until(lambda: must(root.get(path), 200)["state"] == "finished", "the run is finished", 60)
    assert must(root.get(path), 200)["accepted"] == 1
    assert reminded(composition, [address], event)[address] == 1
