"""Two processes of the tickets API, each at an address of its own, are replaced while people order."""

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from infra.local.ports import choose
from shared.testing import wait_until
from tests.e2e.client import ROOT, make_event
from tests.e2e.conftest import Installation

pytestmark = pytest.mark.e2e

ADDRESSES = ("127.0.0.2", "127.0.0.3")
# Longer than the second after which the gateway has looked at every replica.
DRAIN_SECONDS = 2


@contextmanager
def running(
    arguments: list[str], environment: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments], cwd=ROOT, env=environment, stdout=out, stderr=out
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/live", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture
def start(installation: Installation, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts `python -m ARGUMENTS` with the installation's variables and others; ends it with the test."""
    with ExitStack() as stack:

        def start(*arguments: str, **variables: str) -> subprocess.Popen[bytes]:
            environment = {"PATH": os.environ["PATH"], **installation.env, **variables}
            return stack.enter_context(running(list(arguments), environment, tmp_path / "log"))

        yield start


def test_replacing_one_replica_after_the_other_fails_no_order(
    installation: Installation, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    port = int(installation.env["TICKETS_PORT"])
    urls = [f"http://{address}:{port}" for address in ADDRESSES]
    public = f"http://127.0.0.1:{choose(0, set())}"

    def replica(address: str) -> subprocess.Popen[bytes]:
        bind = {"BIND": f"{address}:{port}", "DRAIN_SECONDS": str(DRAIN_SECONDS)}
        return start("services.tickets", "api", **bind)

    replicas = {address: replica(address) for address in ADDRESSES}
    start("gateway", BIND=public.removeprefix("http://"), TICKETS_URL=",".join(urls))
    for url in (*urls, public):
        wait_until(lambda url=url: answers(url), f"{url} answers", 60)
    _, organizer = installation.new_user("organizer")
    event = make_event(organizer, timedelta(days=9), quota=10_000)
    with Customers(public, event["ticket_id"], installation.new_user()[1].headers) as customers:
        for address, url in zip(ADDRESSES, urls, strict=True):
            customers.wait_for_more()
            replicas[address].send_signal(signal.SIGTERM)
            assert replicas[address].wait(30) == 0
            if address == ADDRESSES[-1]:
                break  # the new one serves alone now
            replicas[address] = replica(address)
            wait_until(lambda url=url: answers(url), f"{url} answers again", 60)
            wait_until(lambda url=url: served(url) > 0, f"{url} is asked again", 60)
    assert set(customers.statuses) == {201}, customers.statuses
    assert count_orders(installation, event["id"]) == customers.statuses[201]


class Customers:
    """Three who order one ticket after the other."""

    def __init__(self, url: str, ticket_id: str, headers: httpx.Headers) -> None:
        self._url, self._body, self._headers = f"{url}/api/registrations/", {"ticket_id": ticket_id}, headers
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._order, daemon=True) for _ in range(3)]
        self.statuses: Counter[int | str] = Counter()

    def _order(self) -> None:
        with httpx.Client(headers=self._headers, timeout=20) as client:
            while not self._done.wait(0.05):
                try:
                    status: int | str = client.post(self._url, json=self._body).status_code
                except httpx.HTTPError as error:
                    status = type(error).__name__
                self.statuses[status] += 1

    def wait_for_more(self) -> None:
        """Returns when some more orders were answered."""
        before = self.statuses.total()
        wait_until(lambda: self.statuses.total() > before + 20, "people order")

    def __enter__(self) -> "Customers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join(30)


def served(url: str) -> int:
    """How many orders a replica has taken."""
    page = httpx.get(f"{url}/metrics", timeout=5).text
    return page.count('dicoevent_http_requests_total{method="POST",route="/api/registrations",status="201"}')


def count_orders(installation: Installation, event_id: str) -> int:
    engine = sa.create_engine(installation.env["TICKETS_DATABASE_URL"])
    with engine.connect() as connection:
        query = sa.text("SELECT count(*) FROM orders WHERE event_id = :id")
        found = connection.execute(query, {"id": event_id}).scalar_one()
    engine.dispose()
    return found
