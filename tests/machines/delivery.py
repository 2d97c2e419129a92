"""Delivery workers on machines of their own: how fast, and what is lost when one of them goes."""

import sys
from collections import Counter
from dataclasses import dataclass

import sqlalchemy as sa

from shared.testing import wait_until
from tests.bench import fanout, yardsticks
from tests.machines.house import House

_MODULE = ("services.notifications", "delivery")
_TABLES = "events, event_contents, holders, tickets, deliveries, reminder_schedules"
_SENT = "SELECT count(*) FROM deliveries WHERE state = 'accepted'"


@dataclass(frozen=True)
class Rate:
    """One fan-out; CPU in shares of a core while it ran."""

    workers: int
    connections: int
    rate: float
    worker_cpu: float
    postgres_cpu: float
    accepted: int


@dataclass(frozen=True)
class Losses:
    """What a fan-out in which workers went away did to those who were to be reminded."""

    recipients: int
    lost: int
    doubled: int


def throughput(house: House, recipients: int, workers: int, connections: int) -> Rate:
    """Everybody's reminder by so many workers with so many connections each."""
    _fill(house, recipients)
    names = _start(house, workers, connections)
    house.number("notifications", "SELECT 1")
    before = {name: house.cpu_seconds(name) for name in (*names, "postgres")}
    _go(house)
    wait_until(lambda: _open(house) == 0, "everything is sent", 600)
    after = {name: house.cpu_seconds(name) for name in before}
    with house.database("notifications") as connection:
        seconds = float(connection.scalar(sa.text(fanout._SECONDS)))
    accepted = house.number("notifications", _SENT)
    house.stop(*names)
    spent = {name: (after[name] - before[name]) / seconds for name in before}
    worker_cpu = sum(spent[name] for name in names) / len(names)
    return Rate(workers, connections, accepted / seconds, worker_cpu, spent["postgres"], accepted)


def losses(house: House, recipients: int, connections: int) -> Losses:
    """Of three workers one is told to end in mid-run, and of one the cable is pulled; later it is back."""
    _fill(house, recipients)
    before = house.mails()
    leaving, cut, staying = _start(house, 3, connections, DELIVERY_LEASE_SECONDS="10")
    _go(house)
    wait_until(lambda: house.number("notifications", _SENT) > recipients / 5, "some are sent", 120)
    house.stop(leaving)
    wait_until(lambda: house.number("notifications", _SENT) > recipients / 2, "more are sent", 120)
    house.net.cut(house.net.machine(cut))
    wait_until(lambda: _open(house) == 0, "everything is sent", 300)
    house.net.mend(house.net.machine(cut))
    house.stop(staying, cut)
    counts: Counter[str] = house.mails() - before
    doubled = sum(n - 1 for n in counts.values())
    return Losses(recipients, recipients - len(counts), doubled)


def bytes_each(house: House) -> float:
    """What a delivery of the last fan-out takes on disk, with its indexes."""
    size = house.number("notifications", "SELECT pg_total_relation_size('deliveries')")
    return size / max(1, house.number("notifications", "SELECT count(*) FROM deliveries"))


def _fill(house: House, recipients: int) -> None:
    with house.database("notifications") as connection:
        connection.execute(sa.text(f"TRUNCATE {_TABLES} CASCADE"))
        for statement in fanout._LOAD:
            values = {"name": yardsticks.NAME, "place": yardsticks.PLACE, "count": recipients, "events": 1}
            text = sa.text(statement)
            connection.execute(text, {name: values[name] for name in text.compile().params})
        connection.execute(sa.text("ANALYZE tickets, holders"))


def _start(house: House, count: int, connections: int, **variables: str) -> list[str]:
    names = [f"delivery{number}" for number in range(1, count + 1)]
    for name in names:
        house.start_worker(name, *_MODULE, MAIL_MAX_CONNECTIONS=str(connections), **variables)
    armed = "SELECT count(*) FROM reminder_schedules"
    wait_until(lambda: house.number("notifications", armed), "the event is armed")
    return names


def _go(house: House) -> None:
    with house.database("notifications") as connection:
        for statement in fanout._TRIGGER:
            connection.execute(sa.text(statement))


def _open(house: House) -> int:
    return house.number("notifications", fanout._OPEN)


HEAD = "workers  connections  mails/s  CPU of a worker  CPU of PostgreSQL  accepted"


def show(rate: Rate) -> None:
    """A line of the table under HEAD."""
    sys.stdout.write(
        f"{rate.workers:7}  {rate.connections:11}  {rate.rate:7.0f}  {rate.worker_cpu:15.0%}"
        f"  {rate.postgres_cpu:17.0%}  {rate.accepted:8}\n"
    )
    sys.stdout.flush()
