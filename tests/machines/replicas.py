"""Replicas of the APIs behind the gateway: how fast, and what a drained one and a rolling update cost."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import httpx

from shared.testing import wait_until
from tests.bench import load
from tests.bench.load import Job, Result
from tests.e2e.client import make_event
from tests.machines.house import GATEWAY_PORT, SERVICES, SUPERUSER, House

GOOD = ("200", "201")
# On a machine that does much else the last confirmation comes late.
LATEST = 600.0


@dataclass(frozen=True)
class Stage:
    """What is asked for: the requests of one client, by what they ask."""

    host: str
    event: dict[str, str]
    buyers: tuple[str, ...]
    requests: dict[str, list[str]]


def prepare(house: House, users: int = 8) -> Stage:
    """An event with room for all, and people who order."""
    admin = house.as_user(SUPERUSER)
    event = make_event(admin, timedelta(days=9), quota=1_000_000)
    token = admin.headers["Authorization"]
    people = [house.new_user() for _ in range(users)]
    admin.close()
    read = {
        "accounts": "/api/groups/",
        "events": f"/api/events/{event['id']}/",
        "tickets": f"/api/tickets/{event['ticket_id']}/",
        "notifications": f"/api/notifications/events/{event['id']}/",
    }
    requests = {service: [_get(token, path)] for service, path in read.items()}
    requests["orders"] = [_order(client.headers["Authorization"], event["ticket_id"]) for _, client in people]
    addresses = tuple(address for address, _ in people)
    return Stage(house.net.machine("gateway").address, event, addresses, requests)


def _get(token: str, path: str) -> str:
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: {token}\r\n\r\n"


def _order(token: str, ticket_id: str) -> str:
    body = f'{{"ticket_id":"{ticket_id}"}}'
    return (
        "POST /api/registrations/ HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        f"Authorization: {token}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )


def rate(house: House, stage: Stage, what: str, clients: int, seconds: float) -> Result:
    """So many clients that ask for one thing over and over."""
    requests = stage.requests[what]
    shares = [[*requests[n % len(requests) :], *requests[: n % len(requests)]] for n in range(clients)]
    job = Job(GATEWAY_PORT, seconds, shares, stage.host)
    return load.send(job, house.net.machine("client").prefix)


class Constant(threading.Thread):
    """Clients who order, and one who reads from each service, until they are told to stop."""

    def __init__(self, house: House, stage: Stage) -> None:
        super().__init__(name="constant load", daemon=True)
        self._prefix = house.net.machine("client").prefix
        shares = [[order] for order in stage.requests["orders"][:4]]
        shares += [stage.requests[service] for service in SERVICES]
        self._job = Job(GATEWAY_PORT, 5.0, shares, stage.host)
        self._done = threading.Event()
        self.statuses: Counter[str] = Counter()

    def run(self) -> None:
        while not self._done.is_set():
            self.statuses.update(load.send(self._job, self._prefix).statuses)

    def finish(self) -> Counter[str]:
        """Answers by status, when the last is there."""
        self._done.set()
        self.join(60)
        assert not self.is_alive(), "the load does not end"
        return self.statuses

    @property
    def failed(self) -> int:
        return sum(n for status, n in self.statuses.items() if status not in GOOD)


@dataclass(frozen=True)
class Update:
    """What clients saw and what was kept while processes went and came."""

    seconds: float
    statuses: Counter[str]
    orders: int
    known: int
    mails: int

    @property
    def failed(self) -> int:
        return sum(n for status, n in self.statuses.items() if status not in GOOD)

    @property
    def kept(self) -> bool:
        """Every order that was answered is there once, is known to notifications and was confirmed once."""
        return self.failed == 0 and self.statuses["201"] == self.orders == self.known == self.mails


def under_load(house: House, what: Callable[[House], None]) -> Update:
    """Does something with the house while people order."""
    stage = prepare(house)
    clients, begun = Constant(house, stage), time.monotonic()
    clients.start()
    what(house)
    seconds = time.monotonic() - begun
    statuses = clients.finish()
    event = {"id": stage.event["id"]}
    orders = house.number("tickets", "SELECT count(*) FROM orders WHERE event_id = :id", **event)
    known = "SELECT count(*) FROM tickets WHERE event_id = :id"
    with suppress(AssertionError):
        wait_until(lambda: house.number("notifications", known, **event) >= orders, "all is known", LATEST)
        wait_until(lambda: _confirmed(house, stage) >= orders, "all is confirmed", LATEST)
    known_now = house.number("notifications", known, **event)
    return Update(seconds, statuses, orders, known_now, _confirmed(house, stage))


def _confirmed(house: House, stage: Stage) -> int:
    mails = house.mails()
    return sum(mails[address] for address in stage.buyers)


def drain_one(house: House) -> None:
    """The first replica of each API ends, one after the other, and stays away for a while."""
    for service in SERVICES:
        house.stop(house.api_name(service, 1))
    time.sleep(5)
    for service in SERVICES:
        house.start_api(service, 1)
    _until_whole(house)


def roll(house: House) -> None:
    """Every replica of every API is replaced, and every other process but the gateway."""
    for service in SERVICES:
        for number in (1, 2):
            house.stop(house.api_name(service, number))
            house.start_api(service, number)
            _until_whole(house)
    for name, module in WORKERS.items():
        house.stop(name)
        house.start_worker(name, *module)


WORKERS = {
    "events-consumer": ("services.events", "consumer"),
    "tickets-consumer": ("services.tickets", "consumer"),
    "notifications-consumer": ("services.notifications", "consumer"),
    "delivery1": ("services.notifications", "delivery"),
    "beat": ("services.notifications", "beat"),
}


def _until_whole(house: House) -> None:
    """Every replica is up, also in the eyes of the gateway, which looks once a second."""

    def whole() -> bool:
        try:
            return set(house.health().values()) == {"ok"}
        except httpx.HTTPError:
            return False

    wait_until(whole, "the gateway sees every replica", 60)
    time.sleep(1.5)
