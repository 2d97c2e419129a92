"""A short choice of what scripts/chaos does at length, and what happens to several workers at once."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from infra.local import ports
from infra.local.testing import embedded_postgres
from services.notifications.planning import plan_due
from shared.database import make_engine, migrate
from shared.testing import wait_until
from tests.chaos.kill import LEASE, POINTS, Trial, run, trial
from tests.chaos.nursery import ROOT, make_loop, reminder_settings


@pytest.fixture
def it(make_database: Callable[[str], str]) -> Iterator[Trial]:
    with trial(make_database("notifications")) as made:
        yield made


def accepted(it: Trial) -> int:
    return it._scalar("SELECT count(*) FROM deliveries WHERE state = 'accepted'")


def start(it: Trial, connections: int = 4, skew: float = 0.0) -> int:
    return it.nursery.start(
        skew=skew, url=it.url, port=it.server.port, connections=connections, offset=0.0, lease=LEASE
    )


def test_kill_9_at_each_step_loses_nothing_and_doubles_only_what_nobody_can_know(it: Trial) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")  # noqa: T201 - pytest shows it when the test fails
    tally = run(it, len(POINTS), seed)
    assert set(tally.rounds) == set(POINTS)
    assert tally.lost == 0
    assert tally.unexcused == []


def test_two_beats_and_three_workers_with_clocks_ten_minutes_apart_send_each_mail_once_and_none_early(
    it: Trial,
) -> None:
    it._campaign("now", 300)
    it._campaign("later", 20)
    it._scalar(
        "WITH w AS (UPDATE reminder_schedules SET due_at = now() + interval '4 minutes'"
        " WHERE event_id = 'later' RETURNING 1) SELECT count(*) FROM w"
    )
    workers = [start(it, skew=skew) for skew in (-300.0, 0.0, 300.0)]
    over = threading.Event()

    def beat() -> None:
        settings = reminder_settings()
        while not over.is_set():
            plan_due(it.engine, settings)
            over.wait(0.05)

    beats = [threading.Thread(target=beat) for _ in range(2)]
    for thread in beats:
        thread.start()
    try:
        wait_until(lambda: accepted(it) == 300, "all that is due is sent")
    finally:
        over.set()
        for thread in beats:
            thread.join(10)
        for worker in workers:
            os.kill(worker, signal.SIGTERM)
    wait_until(lambda: not any(map(psutil.pid_exists, workers)), "the workers have ended")
    assert set(it.server.copies().values()) == {1}
    assert len(it.server.noted) == 300


def test_sigterm_finishes_what_is_on_the_wire_and_gives_back_the_rest(it: Trial) -> None:
    it._campaign("e", 400)

    def slow(point: str, recipient: str) -> None:
        if point == "noted":
            time.sleep(0.002)

    it.server.choose = slow
    worker = start(it)
    wait_until(lambda: len(it.server.noted) > 40, "it sends")
    begun = time.monotonic()
    os.kill(worker, signal.SIGTERM)
    wait_until(lambda: not psutil.pid_exists(worker), "it has ended", 15)
    assert time.monotonic() - begun < 10
    held = "SELECT count(*) FROM deliveries WHERE state IN ('claimed', 'sending')"
    assert it._scalar(held) == 0
    assert accepted(it) == len(it.server.noted) < 400
    make_loop(it.engine, it.server.port, 4, 0.0, LEASE).work_once()
    assert len(it.server.noted) == 400
    assert set(it.server.copies().values()) == {1}


def test_a_postgresql_that_restarts_in_mid_run_costs_no_mail_and_doubles_none(tmp_path: Path) -> None:
    port = ports.choose(0, set())
    server = embedded_postgres(tmp_path / "pg", durable=True, port=port)
    url = server.__enter__()
    try:
        migrate(url, ROOT / "services" / "notifications" / "migrations", "notifications")
        with trial(url) as it:
            it._campaign("e", 500)
            it.server.choose = lambda point, recipient: time.sleep(0.001) if point == "noted" else None
            worker = start(it)
            wait_until(lambda: len(it.server.noted) > 100, "it sends")
            server.__exit__(None, None, None)
            assert len(it.server.noted) < 500
            server = embedded_postgres(tmp_path / "pg", durable=True, port=port)
            server.__enter__()
            it.engine = make_engine(url, "after")
            wait_until(lambda: accepted(it) == 500, "all is sent")
            os.kill(worker, signal.SIGTERM)
            wait_until(lambda: not psutil.pid_exists(worker), "the worker has ended")
            it.engine.dispose()
            assert set(it.server.copies().values()) == {1}
            assert len(it.server.noted) == 500
    finally:
        server.__exit__(None, None, None)
