"""Cached answers are never stale, whatever happens to Redis, with any number of replicas."""

import random
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy import Engine, text

from infra.local import ports
from infra.local import redis as embedded
from services.events.storage.folder import FolderStorage
from services.events.tests.integration.conftest import House, open_house
from shared.testing import wait_until

NOWHERE = "redis://127.0.0.1:1/0"
ROUNDS = 40


@pytest.fixture
def engine(make_service_engine: Callable[[str], Engine]) -> Engine:
    return make_service_engine("events")


@pytest.fixture
def folder(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path / "posters")


@pytest.fixture
def other(house: House, redis_url: str, folder: FolderStorage) -> Iterator[House]:
    """A second replica on the same database and Redis."""
    with open_house(house.engine, redis_url, folder) as opened:
        yield opened


@pytest.fixture
def cut_off(house: House, folder: FolderStorage) -> Iterator[House]:
    """A replica on the same database that cannot reach Redis."""
    with open_house(house.engine, NOWHERE, folder) as opened:
        yield opened


def read(house: House, path: str, who: dict[str, str] | None = None) -> tuple[str, Any]:
    """(where the answer is from, the answer)."""
    answer = house.client.get(path, headers=who or {})
    assert answer.status_code == 200, answer.text
    return answer.headers["X-Data-Source"], answer.json()


def path_of(event: dict[str, Any]) -> str:
    return f"/api/events/{event['id']}/"


def change(house: House, event: dict[str, Any], **fields: Any) -> None:
    answer = house.client.patch(path_of(event), json=fields, headers=house.admin)
    assert answer.status_code == 200, answer.text


def test_what_one_replica_read_another_has_from_the_cache(house: House, other: House) -> None:
    event = house.make_event()
    for path in (path_of(event), "/api/events/?page_size=5"):
        source, answer = read(house, path)
        assert source == "database"
        assert read(other, path) == ("cache", answer)


def test_every_kind_of_change_is_seen_by_the_next_read(house: House, other: House) -> None:
    event = house.make_event()
    for path in (path_of(event), "/api/events/"):
        read(house, path)
    change(house, event, name="Blues")
    assert read(other, path_of(event))[1]["name"] == "Blues"
    assert [e["name"] for e in read(other, "/api/events/")[1]["events"]] == ["Blues"]
    later = house.make_event(name="New")
    assert [e["name"] for e in read(other, "/api/events/")[1]["events"]] == ["New", "Blues"]
    assert house.client.delete(path_of(later), headers=house.admin).status_code == 204
    assert other.client.get(path_of(later)).status_code == 404
    assert read(other, "/api/events/")[1]["pagination"]["total"] == 1


def test_a_change_by_hand_in_the_database_is_seen_too(house: House) -> None:
    event = house.make_event()
    read(house, path_of(event))
    with house.engine.begin() as connection:
        connection.execute(text("UPDATE events SET quota = 7"))
    assert read(house, path_of(event))[1]["quota"] == 7


def test_a_draft_never_comes_from_the_cache_for_the_public(house: House) -> None:
    event = house.make_event(status="draft")
    for _ in range(2):
        assert read(house, path_of(event), house.admin)[1] == event
        assert read(house, "/api/events/", house.organizer)[1]["events"] == [event]
    for who in ({}, house.user, house.rival):
        assert house.client.get(path_of(event), headers=who).status_code == 404
        assert read(house, "/api/events/", who)[1]["events"] == []
    change(house, event, status="scheduled")
    read(house, path_of(event))
    change(house, event, status="draft")
    assert house.client.get(path_of(event)).status_code == 404


def test_signed_in_readers_are_answered_from_the_cache_too(house: House) -> None:
    event = house.make_event()
    for who in (house.admin, house.organizer, house.user):
        read(house, path_of(event), who)
        assert read(house, path_of(event), who) == ("cache", event)
    assert house.client.get(path_of(event), headers={"Authorization": "Bearer x"}).status_code == 401


def test_readers_beside_a_writer_never_see_less_than_he_was_answered(house: House, other: House) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - pytest shows it when it fails
    events = [house.make_event(quota=0) for _ in range(3)]
    # quota counts the changes of an event; `answered` is raised once the writer has his answer.
    answered = [0, 0, 0]
    done, wrong, sources = threading.Event(), [], set()

    def reader(replica: House, chance: random.Random) -> None:
        while not done.is_set():
            number = chance.randrange(3)
            floor = answered[number]
            if chance.random() < 0.5:
                source, answer = read(replica, path_of(events[number]))
            else:
                source, answers = read(replica, "/api/events/")
                answer = next(e for e in answers["events"] if e["id"] == events[number]["id"])
            sources.add(source)
            if answer["quota"] < floor:
                wrong.append((source, answer["quota"], floor))

    chances = [random.Random(seed + n) for n in range(5)]
    replicas = (house, other, house, other)
    readers = [threading.Thread(target=reader, args=pair) for pair in zip(replicas, chances, strict=False)]
    for thread in readers:
        thread.start()
    try:
        for count in range(1, ROUNDS + 1):
            number = chances[4].randrange(3)
            change(chances[4].choice((house, other)), events[number], quota=count)
            answered[number] = count
    finally:
        done.set()
        for thread in readers:
            thread.join(30)
    assert wrong == []
    assert sources == {"database", "cache"}


def test_a_slow_reader_cannot_put_an_old_answer_back(house: House, redis_url: str) -> None:
    """What he read is kept under the generation that he read, which is not the one of now."""
    event = house.make_event()
    client = redis.Redis.from_url(redis_url)
    read(house, path_of(event))
    old = copy_of(client)
    change(house, event, name="Blues")
    for _ in range(2):
        restore(client, old)
        assert read(house, path_of(event))[1]["name"] == "Blues"
    client.close()


def test_a_write_that_cannot_reach_redis_makes_all_it_holds_worthless(house: House, cut_off: House) -> None:
    event = house.make_event()
    for path in (path_of(event), "/api/events/"):
        read(house, path)
        assert read(house, path)[0] == "cache"
    change(cut_off, event, name="Blues")
    for path in (path_of(event), "/api/events/"):
        assert "Blues" in str(read(house, path)[1])


def test_redis_that_comes_back_as_an_older_copy_brings_nothing_back(
    house: House, cut_off: House, redis_url: str
) -> None:
    event = house.make_event()
    client = redis.Redis.from_url(redis_url)
    copies = []
    for name in ("Blues", "Swing", "Bebop"):
        for path in (path_of(event), "/api/events/"):
            read(house, path)
        copies.append(copy_of(client))
        client.flushdb()
        change(cut_off, event, name=name)
        for copy in copies:
            restore(client, copy)
            assert read(house, path_of(event))[1]["name"] == name
            assert read(house, "/api/events/")[1]["events"][0]["name"] == name
    client.close()


def test_without_redis_reads_are_from_the_database_and_see_each_change(cut_off: House) -> None:
    event = cut_off.make_event()
    for name in ("Blues", "Swing"):
        change(cut_off, event, name=name)
        assert read(cut_off, path_of(event)) == ("database", {**event, "name": name})


def test_redis_that_was_down_during_a_write_is_used_again_and_not_believed(
    engine: Engine, folder: FolderStorage, tmp_path: Path
) -> None:
    port = ports.choose(0, set())
    with open_house(engine, f"redis://127.0.0.1:{port}/0", folder) as house:
        event = house.make_event()
        with running_redis(tmp_path, port):
            wait_until(lambda: read(house, path_of(event))[0] == "cache", "Redis is used")
        assert read(house, path_of(event)) == ("database", event)
        change(house, event, name="Blues")
        # Its append-only file gives it back all that it held.
        with running_redis(tmp_path, port):
            wait_until(lambda: read(house, path_of(event))[0] == "cache", "Redis is used again")
            assert read(house, path_of(event))[1]["name"] == "Blues"


def test_a_redis_that_takes_calls_and_never_answers_holds_up_one_read_and_not_each(
    engine: Engine, folder: FolderStorage
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"redis://127.0.0.1:{deaf.getsockname()[1]}/0"
        with open_house(engine, url, folder) as house:
            event = house.make_event()
            started = time.monotonic()
            assert read(house, path_of(event))[0] == "database"
            fresh = [read(house, path_of(event))[0] for _ in range(20)]
            assert fresh == ["database"] * 20
            # Twenty waits of a quarter of a second would be five.
            assert time.monotonic() - started < 4


def test_a_lost_connection_to_the_database_is_opened_again(house: House) -> None:
    event = house.make_event()
    read(house, path_of(event))
    with house.engine.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'events-generation' AND datname = current_database()"
            )
        )
    assert read(house, path_of(event)) == ("cache", event)


def test_the_cache_has_a_fixed_size_and_an_hour_to_live(house: House, redis_url: str) -> None:
    for number in range(200):
        read(house, f"/api/events/?search={number}")
    client = redis.Redis.from_url(redis_url)
    keys = list(client.scan_iter("dicoevent:events:*"))
    assert 64 < len(keys) <= 128
    assert all(3500 < client.ttl(key) <= 3600 for key in keys)
    client.close()


@contextmanager
def running_redis(folder: Path, port: int) -> Iterator[None]:
    process = subprocess.Popen(embedded.command(folder, port), stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: ports.answers(port), "Redis listens")
        yield
    finally:
        process.terminate()
        process.wait(30)


def copy_of(client: "redis.Redis[bytes]") -> dict[bytes, bytes]:
    copy = {key: client.dump(key) for key in client.scan_iter("dicoevent:events:*")}
    assert copy
    return copy


def restore(client: "redis.Redis[bytes]", copy: dict[bytes, bytes]) -> None:
    for key, value in copy.items():
        client.restore(key, 3_600_000, value, replace=True)
