"""What is broken: each fault is applied, holds for a while, and is lifted."""

import random
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import redis

from shared.testing import wait_until
from tests.chaos.databases import READS
from tests.chaos.house import CONNECTIONS, DELIVERIES, GRACE_SECONDS, OURS, House
from tests.chaos.scene import Fault, Run, Scene

_END_OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'dicoevent%'"
SLOW_SECONDS = 0.2
SKEW_SECONDS = 300.0
AWAY_SECONDS = 600.0
# Then what a delivery process knows of its mails comes after another one has taken them over.
DATABASE_AWAY = "database away for longer than a lease"
_SIGTERM_PATIENCE = GRACE_SECONDS + 7.0


AT_ONCE = (0.0, 0.0)


@contextmanager
def flushall(scene: Scene, seconds: float) -> Iterator[None]:
    for _ in range(3):
        scene.redis(lambda client: client.flushall())
        scene.pause(seconds / 4)
    yield
    scene.redis(lambda client: client.flushall())


def kill(name: str) -> Run:
    """kill -9, once at the beginning; the supervisor starts it again."""

    @contextmanager
    def run(scene: Scene, seconds: float) -> Iterator[None]:
        scene.house.kill(name)
        if name in DELIVERIES:
            # Nobody can know what the mail server made of what was on the wire (RFC 1047).
            scene.excuses["kill -9 of delivery"] += CONNECTIONS
        if name == "postgres":
            scene.excuses[DATABASE_AWAY] += CONNECTIONS * len(DELIVERIES)
        yield

    return run


@contextmanager
def redis_full(scene: Scene, seconds: float) -> Iterator[None]:
    scene.redis(lambda client: client.config_set("maxmemory", "1mb"))
    try:
        yield
    finally:
        scene.until.append(lambda: scene.redis(lambda client: client.config_set("maxmemory", "0")))


@contextmanager
def redis_stopped(scene: Scene, seconds: float) -> Iterator[None]:
    scene.house.send("redis", signal.SIGSTOP)
    try:
        yield
    finally:
        scene.house.send("redis", signal.SIGCONT)


@contextmanager
def no_connections(scene: Scene, seconds: float) -> Iterator[None]:
    """Every connection that PostgreSQL has is taken by somebody else, also those that were in use."""
    taken: list[psycopg2.extensions.connection] = []
    over = threading.Event()
    scene.excuses[DATABASE_AWAY] += CONNECTIONS * len(DELIVERIES)

    def take() -> None:
        while not over.is_set():
            try:
                taken.append(scene.databases.connect_as_superuser())
            except psycopg2.Error:
                over.wait(0.05)

    thread = threading.Thread(target=take, name="greedy")
    thread.start()
    try:
        scene.pause(min(2.0, seconds / 2))
        try:
            with taken[0].cursor() as cursor:
                cursor.execute(_END_OTHERS)
        except (psycopg2.Error, IndexError):
            scene.notes.append("PostgreSQL was away")
        yield
    finally:
        over.set()
        thread.join(30)
        for connection in taken:
            connection.close()


def talk(client: str, server: str) -> bool:
    """Whether a process ever speaks to a server: not all know what their settings name."""
    if server in ("postgres", "redis"):
        return client != "gateway" or server == "redis"
    if server == "mail":
        return client in DELIVERIES
    service, _, role = client.partition("-")
    return client == "gateway" or (role in ("api", "consumer") and server[:-4] in READS.get(service, ()))


def partition(silent: bool) -> Run:
    """Between any two: cut, so that both see it, or silent, so that neither does."""

    @contextmanager
    def run(scene: Scene, seconds: float) -> Iterator[None]:
        links = scene.house.links
        link = scene.chance.choice([link for link in links.find() if talk(link.client, link.server)])
        scene.notes.append(f"{link.client} and {link.server}")
        if link.client in DELIVERIES and link.server == "postgres":
            scene.excuses[DATABASE_AWAY] += CONNECTIONS
        if link.server == "mail":
            scene.excuses["connection lost after the final dot"] += CONNECTIONS
        (links.silence if silent else links.cut)(link)
        try:
            yield
        finally:
            links.mend(link)

    return run


@contextmanager
def slow(scene: Scene, seconds: float) -> Iterator[None]:
    for link in scene.house.links.find():
        link.delay = SLOW_SECONDS
    try:
        yield
    finally:
        for link in scene.house.links.find():
            link.delay = 0.0


@contextmanager
def away(scene: Scene, seconds: float) -> Iterator[None]:
    """A consumer is down while the clock of notifications runs ten minutes ahead."""
    house = scene.house
    consumer, others = "notifications-consumer", [p.name for p in OURS if p.service == "notifications"]
    others.remove(consumer)
    house.hold(consumer)
    scene.pause(seconds)
    # Everybody else comes back ten minutes later; the consumer after them.
    house.hold(*others, number=signal.SIGTERM)
    house.system.offset += AWAY_SECONDS
    house.release(*others)
    wait_until(lambda: not (set(house.sick()) & set(others)), "the rest of notifications is up", 90, 0.2)
    try:
        yield
    finally:
        house.release(consumer)


@contextmanager
def clocks_apart(scene: Scene, seconds: float) -> Iterator[None]:
    """Half of the processes have a clock that is five minutes ahead of, or behind, everybody else's."""
    house = scene.house
    names = scene.chance.sample([p.name for p in OURS], 6)
    house.system.skews = {name: scene.chance.choice((SKEW_SECONDS, -SKEW_SECONDS)) for name in names}
    scene.notes.append(", ".join(f"{name} {skew:+.0f} s" for name, skew in house.system.skews.items()))
    try:
        _restart(house, names)
        wait_until(lambda: not (set(house.sick()) & set(names)), "they are up", 90, 0.2)
        scene.pause(seconds)
        yield
    finally:
        house.system.skews = {}
        _restart(house, names)


def _restart(house: House, names: list[str]) -> None:
    house.hold(*names, number=signal.SIGTERM)
    house.release(*names)


@contextmanager
def sigterm(scene: Scene, seconds: float) -> Iterator[None]:
    """All of our processes are told to end, in the middle of everything."""
    house = scene.house
    children = [house.system.children[program.name] for program in OURS]
    processes = [child.process for child in children if child.process is not None and child.running()]
    for child in children:
        house.send(child.name, signal.SIGTERM)

    def ended() -> bool:
        return all(process.poll() is not None for process in processes)

    try:
        wait_until(ended, "they have ended", _SIGTERM_PATIENCE, 0.05)
    except AssertionError:
        slow_ones = [c.name for c, p in zip(children, processes, strict=False) if p.poll() is None]
        scene.wrong.append(f"not ended {_SIGTERM_PATIENCE:.0f} s after SIGTERM: {', '.join(slow_ones)}")
    yield


@contextmanager
def deaf(scene: Scene, seconds: float) -> Iterator[None]:
    """Redis ends and comes back; a consumer lives on and waits for ever for the answer to its BRPOP.

    Its other connections are well, and it reads the feeds: only its watchdog sees what is wrong.
    """
    house = scene.house
    name = scene.chance.choice(("events-consumer", "tickets-consumer", "notifications-consumer"))
    before, [link] = house.pid(name), house.links.find(name, "redis")
    house.kill("redis")
    try:
        wait_until(
            lambda: "redis" not in house.sick() and scene.redis(lambda c: c.ping()), "Redis is back", 30
        )
        scene.pause(seconds)
        wait_until(lambda: house.links.deafen(link, b"BRPOP"), f"{name} waits for messages again", 30, 0.5)
    except AssertionError as error:
        scene.notes.append(str(error))
    scene.notes.append(name)

    def hears() -> bool:
        return house.pid(name) != before or not house.links.count_deaf(link)

    scene.until.append(hears)
    yield


@contextmanager
def same_message(scene: Scene, seconds: float) -> Iterator[None]:
    scene.post.same_message(100)
    scene.pause(seconds)
    yield


@contextmanager
def out_of_order(scene: Scene, seconds: float) -> Iterator[None]:
    """The queue of notifications is shuffled while its consumer stands still; and a story told backwards."""
    scene.house.send("notifications-consumer", signal.SIGSTOP)
    try:
        scene.post.story_backwards()
        scene.pause(seconds)
        moved = scene.redis(lambda client: _shuffle(client, "notifications", scene.chance))
        scene.notes.append(f"{moved} shuffled")
        yield
    finally:
        scene.house.send("notifications-consumer", signal.SIGCONT)


def _shuffle(client: "redis.Redis", queue: str, chance: random.Random) -> int:
    """Brings what waits on a queue into another order; returns how many there were."""
    with client.pipeline() as pipe:
        waiting, _ = pipe.lrange(queue, 0, -1).delete(queue).execute()
        chance.shuffle(waiting)
        if waiting:
            pipe.rpush(queue, *waiting).execute()
    return len(waiting)


@contextmanager
def old_message(scene: Scene, seconds: float) -> Iterator[None]:
    scene.post.old_message()
    scene.pause(seconds)
    yield


FAULTS = (
    Fault("FLUSHALL", flushall),
    # They have happened at once: recovery counts from the blow.
    *(
        Fault(f"kill -9 {name}", kill(name), AT_ONCE)
        for name in ("redis", "postgres", *(p.name for p in OURS))
    ),
    Fault("redis full", redis_full, (4.0, 10.0)),
    Fault("redis stopped", redis_stopped, (4.0, 12.0)),
    Fault("postgres without connections", no_connections, (5.0, 12.0)),
    Fault("partition, cut", partition(silent=False), (4.0, 14.0)),
    Fault("partition, silent", partition(silent=True), (4.0, 14.0)),
    Fault("slow network", slow, (6.0, 12.0)),
    Fault("consumer away ten minutes", away, (4.0, 8.0), restarts=True),
    Fault("same message 100 times", same_message),
    Fault("messages out of order", out_of_order),
    Fault("older version's message", old_message),
    Fault("clocks 5 minutes apart", clocks_apart, (6.0, 10.0), restarts=True),
    Fault("SIGTERM to all", sigterm, AT_ONCE),
    Fault("deaf consumer", deaf, (3.0, 5.0)),
)
BY_NAME = {fault.name: fault for fault in FAULTS}
