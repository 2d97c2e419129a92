"""An operator sees that sending rests, and lets it go on."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
import redis
from prometheus_client import REGISTRY

from services.notifications import links
from services.notifications.api.health import campaigns_check, relay_check
from services.notifications.breaker import THRESHOLD
from services.notifications.delivery import DeliveryLoop
from services.notifications.rate import RateGate
from services.notifications.tests.integration.conftest import Desk, World
from shared.testing import wait_until

PAUSES = "/api/notifications/pauses"


@pytest.fixture
def resting(desk: Desk) -> Desk:
    """A campaign with one refused mail and one that waits."""
    world = desk.world
    world.order(holder="h1")
    world.server.answers["h1@dicoevent.example"] = "550 5.7.1 looks like spam"
    world.deliver()
    world.order(holder="h2")
    world.deliver()
    assert world.states() == {"h1": "failed", "h2": "pending"}
    return desk


def test_health_says_that_a_campaign_rests_until_it_is_resumed(resting: Desk) -> None:
    world = resting.world
    check = campaigns_check(world.engine, world.settings.clock_offset)
    assert check() is not None
    [pause] = resting.get(PAUSES)["pauses"]
    assert (pause["event_id"], pause["kind"], pause["reason"]) == (
        "e1",
        "reminder",
        "550 5.7.1 looks like spam",
    )
    answer = resting.client.delete(f"{PAUSES}/e1/reminder", headers=resting.admin)
    assert answer.status_code == 204
    assert (check(), resting.get(PAUSES)) == (None, {"pauses": []})
    world.deliver()
    assert world.states() == {"h1": "failed", "h2": "accepted"}


def test_a_pause_that_is_over_is_not_shown(resting: Desk) -> None:
    resting.world.later(resting.world.settings.pause)
    assert campaigns_check(resting.world.engine, resting.world.settings.clock_offset)() is None


@pytest.mark.parametrize(
    ("path", "who", "status"),
    [("e1/moved", "admin", 404), ("e2/reminder", "admin", 404), ("e1/reminder", "organizer", 403),
     ("e1/nonsense", "admin", 400)],
)  # fmt: skip
def test_only_an_admin_resumes_and_only_what_rests(resting: Desk, path: str, who: str, status: int) -> None:
    answer = resting.client.delete(f"{PAUSES}/{path}", headers=getattr(resting, who))
    assert answer.status_code == status, answer.text
    assert len(resting.get(PAUSES)["pauses"]) == 1


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, socket_timeout=5) as client:
        yield client


def test_health_says_that_the_mail_relay_is_away(world: World, client: redis.Redis) -> None:
    world.order()
    mail = replace(world.mail, port=1)
    loop = DeliveryLoop(world.engine, world.settings, mail, RateGate(client, 0, "worker-1"))
    check = relay_check(client)
    assert check() is None
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        wait_until(check, "a worker with an open breaker says so")
    finally:
        loop.stop()
        thread.join(30)
    client.delete("dicoevent:mail:away")  # its time is over
    assert check() is None


def test_a_relay_that_is_back_is_found_so_though_nothing_is_due(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "UNTRIED_SECONDS", 0.0)

    async def watched() -> bool:
        ours = links.Links(world.mail, None, lambda: None)
        for _ in range(THRESHOLD):
            ours.failed("away")
        ours.breaker.open_until = 0.0
        async with asyncio.timeout(30):
            while not ours.breaker.closed:
                ours.watch()
                await asyncio.sleep(0.01)
        await ours.close()
        return True

    assert asyncio.run(watched())
    assert REGISTRY.get_sample_value("dicoevent_mail_server_up") == 1


def test_without_redis_and_database_these_checks_leave_it_to_the_others() -> None:
    away = redis.Redis(host="127.0.0.1", port=1, socket_connect_timeout=0.5, retry=None)
    assert relay_check(away)() is None
