"""scripts/bench machines: each process on a machine of its own (a network namespace, with its own address).

Throughput of delivery workers, of one and two replicas of each API, and what is lost when processes are
drained, updated one by one, or cut off. Needs root.
"""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from tests.machines import delivery, replicas
from tests.machines.house import PORTS, SERVICES, House
from tests.machines.network import network, obstacle
from tests.machines.replicas import WORKERS, Update

CANNOT_RUN = 3
PARTS = ("delivery", "losses", "replicas", "drain", "rolling")


def main(arguments: Sequence[str]) -> int:
    """0 when nothing was lost, 1 when something was, 3 where it cannot run."""
    parser = argparse.ArgumentParser(prog="scripts/bench machines", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--recipients", type=int, default=6000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--connections", type=int, nargs="+", default=[16, 64], help="of each worker")
    parser.add_argument(
        "--slow-ms", type=int, default=20, help="the mail server takes so long for each message"
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement of replicas")
    wanted = parser.parse_args(arguments)
    if problem := obstacle():
        sys.stderr.write(f"scripts/bench machines cannot run: {problem}.\n")
        return CANNOT_RUN
    # Told to end, it takes its machines away all the same.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with _house(wanted.slow_ms) as house:
        _say(f"{os.cpu_count()} CPUs, load before {os.getloadavg()[0]:.1f}")
        _say(f"mail server: {wanted.slow_ms} ms for each message; PostgreSQL with fsync on")
        right = _deliver(house, wanted) if {"delivery", "losses"} & set(wanted.only) else True
        if {"replicas", "drain", "rolling"} & set(wanted.only):
            right &= _serve(house, wanted)
        _say(f"load after {os.getloadavg()[0]:.1f}")
    return 0 if right else 1


@contextmanager
def _house(milliseconds: int) -> Iterator[House]:
    with tempfile.TemporaryDirectory(prefix="dicoevent-machines-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        home = Path(folder) / "home"
        home.mkdir(mode=0o755)
        with network() as net:
            house = House(home, net)
            house.start_data()
            house.start_mail(milliseconds)
            yield house


def _deliver(house: House, wanted: argparse.Namespace) -> bool:
    right = True
    if "delivery" in wanted.only:
        _say(f"\n{wanted.recipients} reminders\n{delivery.HEAD}")
        for workers in wanted.workers:
            for connections in wanted.connections:
                measured = delivery.throughput(house, wanted.recipients, workers, connections)
                delivery.show(measured)
                right &= measured.accepted == wanted.recipients
        _say(f"{delivery.bytes_each(house):.0f} bytes on disk for each delivery, with its indexes")
    if "losses" in wanted.only:
        connections = wanted.connections[0]
        lost = delivery.losses(house, wanted.recipients, connections)
        _say(
            f"\none of three workers ended (SIGTERM), one cut off in mid-run: {lost.recipients} recipients,"
            f" {lost.lost} lost, {lost.doubled} doubled (may be: {connections}, one for each connection)"
        )
        right &= lost.lost == 0 and lost.doubled <= connections
    return right


def _serve(house: House, wanted: argparse.Namespace) -> bool:
    house.place(2)
    for service in SERVICES:
        for number in (1, 2):
            house.start_api(service, number)
    for name, module in WORKERS.items():
        house.start_worker(name, *module)
    if "replicas" in wanted.only:
        _rates(house, wanted.seconds)
    else:
        house.start_gateway()
    _connections(house)
    right = True
    for part, what in (("drain", replicas.drain_one), ("rolling", replicas.roll)):
        if part in wanted.only:
            right &= _tell(part, replicas.under_load(house, what))
    return right


def _rates(house: House, seconds: float) -> None:
    whole = {f"{service.upper()}_URL": house.environment[f"{service.upper()}_URL"] for service in SERVICES}
    rates: dict[str, list[str]] = {}
    for count in (1, 2):
        urls = {name: ",".join(url.split(",")[:count]) for name, url in whole.items()}
        house.start_gateway(**urls)
        stage = replicas.prepare(house)
        for what in (*SERVICES, "orders"):
            service = what if what in PORTS else "tickets"
            names = ("postgres", "redis", "gateway", *(house.api_name(service, n) for n in (1, 2)))
            served = [house.requests_of(service, n) for n in (1, 2)]
            cpu = {name: house.cpu_seconds(name) for name in names}
            result = replicas.rate(house, stage, what, 16, seconds)
            shares = [
                f"{name} {(house.cpu_seconds(name) - cpu[name]) / result.seconds:.0%}" for name in names
            ]
            served = [
                house.requests_of(service, n) - before for n, before in zip((1, 2), served, strict=True)
            ]
            assert set(result.statuses) <= set(replicas.GOOD), result.statuses
            rates.setdefault(what, []).append(
                f"{what:14}{count:9}{result.rate:9.0f}{result.p99:9.1f}  {served[0]} + {served[1]}"
                f"  {', '.join(shares)}"
            )
        if count == 1:
            house.stop("gateway")
    _say("\nasked           replicas    per s   p99 ms  answered by each, CPU in shares of a core")
    for lines in rates.values():
        for line in lines:
            _say(line)


def _connections(house: House) -> None:
    query = (
        "SELECT application_name, count(*) FROM pg_stat_activity WHERE datname LIKE 'dicoevent%' GROUP BY 1"
    )
    with house.database("notifications") as connection:
        counts = {name or "migrate": count for name, count in connection.execute(sa.text(query))}
    told = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    _say(f"\nconnections to PostgreSQL, two replicas of each API, at rest: {sum(counts.values())} ({told})")


def _tell(part: str, update: Update) -> bool:
    statuses = ", ".join(f"{count} x {status}" for status, count in sorted(update.statuses.items()))
    _say(
        f"\n{part}: {update.seconds:.0f} s under load, answers: {statuses}; failed: {update.failed}\n"
        f"  {update.orders} orders in the database, {update.known} known to notifications,"
        f" {update.mails} confirmed: {'RIGHT' if update.kept else 'WRONG'}"
    )
    return update.kept


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
