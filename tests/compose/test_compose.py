"""What an operator is promised of `docker compose`, on a real engine."""

import subprocess
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from shared.testing import wait_until
from tests.compose.conftest import SERVICES, Composition, docker, inspect
from tests.e2e.client import make_event, must
from tests.e2e.test_outages import inject_holders

PEOPLE = 10
# At most one copy for each SMTP connection that was open at a kill -9 of one of these, between which a mail
# is in flight (RFC 1047); none at any other.
CONNECTIONS = 8
IN_FLIGHT_BETWEEN = ("notifications-delivery", "inbox", "db")

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

    wait_until(ordered, f"the order of {person[0]} is taken", 90, every=0.2)


def reminders(composition: Composition, addresses: list[str], event_name: str = "") -> list[dict[str, Any]]:
    """The reminders that came; nothing while the inbox is away."""
    try:
        mails = composition.mails(*addresses)
    except httpx.TransportError:
        return []
    words = ("Reminder", "Pengingat")
    return [m for m in mails if m["Subject"].startswith(words) and event_name in m["Subject"]]


def reminded(composition: Composition, addresses: list[str], event_name: str = "") -> Counter:
    """address -> how many reminders came for it."""
    return Counter(mail["To"][0]["Address"] for mail in reminders(composition, addresses, event_name))


def test_one_command_goes_from_nothing_to_delivered_reminders(composition: Composition) -> None:
    result = composition.compose("run", "--rm", "tests", seconds=600)
    assert result.returncode == 0, (result.stdout + result.stderr)[-6000:]
    assert " passed" in result.stdout


def test_the_delivery_is_scaled(composition: Composition) -> None:
    assert len(composition.containers("notifications-delivery")) == 2


def test_no_process_of_ours_can_write_to_its_image_or_is_root(composition: Composition) -> None:
    template = "{{.Config.Image}} {{.HostConfig.ReadonlyRootfs}} {{.Config.User}} {{.HostConfig.CapDrop}}"
    containers = {s: inspect(composition.containers(s)[0], template).split() for s in SERVICES}
    ours = {s: rest for s, (image, *rest) in containers.items() if image.startswith("dicoevent:")}
    assert set(SERVICES) - set(ours) == {"db", "redis", "minio"}
    for service, (read_only, user, dropped) in ours.items():
        assert read_only == "true", service
        assert int(user.split(":")[0]) > 0, service
        assert dropped == "[ALL]", service


def test_no_compiler_and_no_pip_is_left_in_the_image(composition: Composition) -> None:
    look = "command -v gcc cc g++ make; python -c 'import pip'"
    result = try_in(composition, "gateway", look)
    assert result.stdout == ""
    assert "No module named 'pip'" in result.stderr


def test_nobody_can_read_the_secrets_of_another(composition: Composition) -> None:
    look = "cat /run/dicoevent/secrets.env /run/dicoevent/accounts/* /run/dicoevent/db/*"
    result = try_in(composition, "tickets-api", look)
    assert result.stdout == ""
    assert result.returncode != 0
    environment = try_in(composition, "db", "tr '\\0' '\\n' </proc/1/environ").stdout
    assert "POSTGRES_PASSWORD=" in environment
    assert "AUTH_SIGNING_KEY" not in environment


def try_in(composition: Composition, service: str, script: str) -> subprocess.CompletedProcess[str]:
    command = ["docker", "exec", composition.containers(service)[0], "sh", "-c", script]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_only_the_gateway_is_published_beyond_this_machine(composition: Composition) -> None:
    for service in SERVICES:
        ports = docker("port", composition.containers(service)[0]).splitlines()
        assert all(port.rpartition(" ")[2].startswith("127.0.0.1:") for port in ports), service


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
    wait_until(
        lambda: len(reminded(composition, addresses, event["name"])) == PEOPLE,
        "everyone is reminded",
        120,
        every=0.2,
    )
    doubles = sum(n - 1 for n in reminded(composition, addresses, event["name"]).values())
    assert doubles <= (CONNECTIONS if service in IN_FLIGHT_BETWEEN else 0)
    composition.wait_answering()


class Stream:
    """One new holder after another, each to be reminded at once, for as long as the `with` lasts."""

    def __init__(self, composition: Composition) -> None:
        self._composition = composition
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.addresses: list[str] = []

    def _run(self) -> None:
        while not self._ended.wait(0.2):
            event_id = f"streamed{len(self.addresses)}"
            self.addresses += inject_holders(self._composition, event_id, 1)

    def __enter__(self) -> "Stream":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(30)


def test_an_update_in_the_middle_of_a_fan_out_loses_and_doubles_nothing(composition: Composition) -> None:
    composition.wait_healthy()
    image = inspect(composition.containers("notifications-delivery")[0], "{{.Image}}")
    with Stream(composition) as stream:
        addresses = inject_holders(composition, "updated", 600)
        wait_until(lambda: len(reminded(composition, addresses)) > 20, "some were reminded", 60, every=0.1)
        composition.variables["VERSION"] = f"{composition.project}-next"
        began = datetime.now(UTC)
        composition.up()
        ended = datetime.now(UTC)
        assert inspect(composition.containers("notifications-delivery")[0], "{{.Image}}") != image
        known = len(stream.addresses)
        wait_until(lambda: len(stream.addresses) > known, "one more order after the update")
    addresses += stream.addresses
    wait_until(
        lambda: len(reminded(composition, addresses)) == len(addresses), "all were reminded", 120, every=0.5
    )
    came = [datetime.fromisoformat(mail["Created"]) for mail in reminders(composition, addresses)]
    assert len(came) == len(addresses), "nobody was told twice"
    assert min(came) < began
    assert any(began < moment < ended for moment in came)
    assert max(came) > ended


def test_down_and_up_keep_everything(
    composition: Composition, people: list[Person], organizer: httpx.Client
) -> None:
    event = make_event(organizer, timedelta(hours=1))
    order_at_last(people[0], event)
    address = people[0][0]
    wait_until(lambda: reminded(composition, [address], event["name"])[address] == 1, "the reminder", 60)
    composition.must("down")
    composition.up()
    # A token of before: the secrets are the same.
    assert must(people[0][1].get("/api/registrations/"), 200)["registrations"]
    root = composition.as_user("root")
    assert must(root.get(f"/api/events/{event['id']}/"), 200)["name"] == event["name"]
    run = must(root.post("/api/events/send-reminders/", json={"event_id": event["id"]}), 202)["task_id"]
    path = f"/api/notifications/runs/{run}/"
    wait_until(lambda: must(root.get(path), 200)["state"] == "finished", "the run is finished", 60)
    assert must(root.get(path), 200)["accepted"] == 1
    assert reminded(composition, [address], event["name"])[address] == 1
