"""The screen of scripts/status says what is wrong, and never fails because something is."""

import io
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from infra.local.status_facts import Facts, ProcessFacts, gather, together
from infra.local.status_screen import duration, render
from tests.watching.names import ROOT

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
WELL = ProcessFacts("tickets-api", 42, 90.0, 1, {"dicoevent_outbox_unsent_messages": {(): 7.0}})


def screen(facts: Facts, width: int = 140) -> str:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(render(facts, width))
    return console.file.getvalue()


def facts(*processes: ProcessFacts, **more: object) -> Facts:
    return Facts("http://127.0.0.1:8000", NOW, list(processes), **more)


def test_a_process_that_is_down_or_does_not_answer_is_named_in_the_first_line() -> None:
    down = ProcessFacts("redis", None, None, 0, None, expects_numbers=False)
    mute = ProcessFacts("events-api", 7, 5.0, 0, None)
    first = screen(facts(WELL, down, mute)).splitlines()[0]
    assert "redis, events-api: not well" in first
    assert "all processes are well" in screen(facts(WELL)).splitlines()[0]


@pytest.mark.parametrize("width", [60, 80, 140])
def test_it_fits_any_terminal(width: int) -> None:
    due = [("A very long name of an event " * 5, "reminder", NOW + timedelta(hours=2), 500)]
    text = screen(facts(WELL, due=due, failed=[(NOW, "failed", "550 no such user")]), width)
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize("width", [80, 100, 120, 140])
def test_no_name_of_a_process_is_cut_off_however_long_the_other_column_is(width: int) -> None:
    numbers = {"dicoevent_queue_messages": {("notifications.delivery",): 123456.0}}
    numbers["dicoevent_outbox_unsent_messages"] = {(): 1234567.0}
    numbers["dicoevent_outbox_oldest_unsent_age_seconds"] = {(): 93784.0}
    numbers["dicoevent_relay_breaker_open"] = {(): 1.0}
    processes = [
        ProcessFacts(f"notifications-{name}", 1234567, 12345.0, 12, numbers)
        for name in ("delivery", "consumer")
    ]
    text = screen(facts(*processes), width)
    assert all(f"{process.name}   1234567" in text for process in processes), text
    assert "1234567   1 d 2 h" in text, "a number is written out"


def test_what_is_due_and_what_failed_are_told() -> None:
    due = [("Jazz [red]", "reminder", NOW + timedelta(minutes=20), 12)]
    text = screen(facts(WELL, due=due, failed=[(NOW, "failed", "550 no such user")]))
    assert "Jazz [red]" in text
    assert "20 min" in text
    assert "550 no such user" in text
    assert "1 min" in text


def test_what_one_process_counted_is_not_hidden_by_another_that_counts_nothing() -> None:
    delivery = {"dicoevent_delivery_results_total": {("accepted",): 7.0}, "up": {(): 1.0}}
    beat = {"dicoevent_delivery_results_total": {("accepted",): 0.0}, "up": {(): float("nan")}}
    expected = {"dicoevent_delivery_results_total": {("accepted",): 7.0}, "up": {(): 1.0}}
    assert together([delivery, beat]) == expected
    assert together([beat, delivery]) == expected


def test_a_database_that_is_away_is_told() -> None:
    assert screen(facts(WELL)).count("the database cannot be reached") == 2


def test_a_system_of_which_nothing_runs_is_shown_as_such(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "gateway.pid").write_text("garbage\n")
    environment = {
        "DICOEVENT_HOME": str(tmp_path),
        "API_URL": "http://127.0.0.1:9",
        "GATEWAY_METRICS_PORT": "9",
        "NOTIFICATIONS_DATABASE_URL": "postgresql+psycopg2://u:p@127.0.0.1:9/x",
    }
    found = gather(environment)
    assert {process.health for process in found.processes} == {"down"}
    assert found.due is None


def test_before_the_first_start_it_says_how_to_start(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "infra.local.status", "--once"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DICOEVENT_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 1
    assert "scripts/up" in result.stderr


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (12_000, "3 h 20 min"), (190_800, "2 d 5 h")],
)
def test_a_duration_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words
