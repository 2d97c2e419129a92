"""MAIL_RATE_PER_SECOND is one number for all workers, with Redis and without it."""

from collections.abc import Iterator

import pytest
import redis

from services.notifications.rate import RateGate

RATE = 500
AWAY = redis.Redis(host="127.0.0.1", port=1, socket_connect_timeout=0.5, retry=None)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, socket_timeout=5) as client:
        yield client


def redis_time(client: redis.Redis) -> float:
    seconds, micros = client.time()
    return seconds + micros / 1e6


def gates(client: redis.Redis, rate: int = RATE) -> tuple[RateGate, RateGate, Clock]:
    clock = Clock()
    one, two = (RateGate(client, rate, name, clock) for name in ("one", "two"))
    one.take(0)
    two.take(0)
    one.take(0)
    return one, two, clock


def test_two_workers_together_send_no_faster_than_the_rate(client: redis.Redis) -> None:
    one, two, _ = gates(client)
    begun, granted, calls = redis_time(client), 0, 0
    while (elapsed := redis_time(client) - begun) < 0.3:
        granted += one.take(40) + two.take(40)
        calls += 1
    assert granted <= RATE * (elapsed + 0.15) + 1
    assert granted >= RATE * 0.25, f"in {elapsed:.2f} s and {calls} calls"


def test_unused_tokens_are_kept_for_a_second_and_no_longer(client: redis.Redis) -> None:
    one, two, _ = gates(client)
    client.hset("dicoevent:mail:bucket", mapping={"tokens": "0", "at": str(redis_time(client) - 3600)})
    granted = one.take(RATE * 10) + two.take(RATE * 10)
    assert RATE <= granted <= RATE * 1.2


def test_without_redis_each_worker_takes_its_share(client: redis.Redis) -> None:
    one, two, clock = gates(client)
    one.client = two.client = AWAY
    for gate in (one, two):
        gate.take(RATE)
    clock.now += 0.5
    assert [gate.take(RATE) for gate in (one, two)] == [RATE / 4, RATE / 4]
    clock.now += 60
    assert [gate.take(RATE) for gate in (one, two)] == [RATE / 2, RATE / 2]


def test_redis_is_asked_again_when_it_is_back(client: redis.Redis) -> None:
    one, _, clock = gates(client)
    one.client = AWAY
    one.take(1)
    one.client = client
    client.hset("dicoevent:mail:bucket", mapping={"tokens": str(RATE), "at": str(redis_time(client))})
    clock.now += 1
    assert one.take(RATE) == RATE / 2, "for a few seconds it is not asked"
    clock.now += 5
    assert one.take(RATE) >= RATE * 0.9


def test_a_rest_that_one_worker_sees_is_a_rest_for_all(client: redis.Redis) -> None:
    one, two, clock = gates(client, rate=0)
    assert one.take(7) == 7
    assert one.rest() == 1.0
    assert (one.take(1), two.take(1)) == (0, 0)
    client.delete("dicoevent:mail:rest")  # its time is over
    clock.now += 1.5
    assert (one.take(1), two.take(1)) == (1, 1)
    assert one.rest() == 2.0
    clock.now += 10
    one.relax()
    assert one.rest() == 1.0


def test_no_limit_asks_redis_twice_a_second_only(client: redis.Redis) -> None:
    one, _, clock = gates(client, rate=0)
    assert one.free
    clock.now += 0.6
    assert not one.free
    assert one.take(10**6) == 10**6
