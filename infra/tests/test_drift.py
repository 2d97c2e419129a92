"""The local runner and docker-compose.yml run the same system."""

import re
from pathlib import Path

import pytest

from infra.local.processes import INBOX, MIGRATE, PROGRAMS, Program
from infra.local.settings import SERVICES, read_settings
from infra.local.system import System
from infra.tests import compose_file
from infra.tests.reading import ROOT, Watched, variables_in

SERVERS = {"db", "redis", "minio"}
OURS = (*PROGRAMS, INBOX, MIGRATE)

# What only one of the two has, and why.
ONLY_THE_RUNNER = {
    "POSTER_DIR": "posters are in a folder on one machine, in MinIO with compose",
    "DRAIN_SECONDS": "it runs one API of each, and nobody is there to go to while that one ends",
}
ONLY_COMPOSE = {
    "S3_ENDPOINT_URL": "as above",
    "S3_BUCKET": "as above",
    "S3_ACCESS_KEY": "as above",
    "S3_SECRET_KEY": "as above",
    "INBOX_HOST": "a container is reached from outside of it",
}
# A default in compose that is not the program's own: where the parts of the composition find each other.
PLACES = {
    "ACCOUNTS_URL",
    "EVENTS_URL",
    "NOTIFICATIONS_URL",
    "TICKETS_URL",
    "BIND_ADDRESS",
    "CELERY_BROKER_URL",
    "MAIL_HOST",
    "PUBLIC_URL",
    "S3_ACCESS_KEY",
    "S3_BUCKET",
    "S3_ENDPOINT_URL",
    "SUPERUSER_USERNAME",
    "VERSION",
}


@pytest.fixture
def runner(tmp_path: Path) -> System:
    """A runner that has decided everything and started nothing."""
    system = System(read_settings({"DICOEVENT_HOME": str(tmp_path)}), say=lambda _: None)
    system.choose()
    for service in SERVICES:
        system.chosen[f"{service.upper()}_DATABASE_URL"] = "postgresql+psycopg2://u:p@127.0.0.1:1/d"
    return system


def folder_of(program: Program) -> Path:
    return ROOT.joinpath(*program.module[0].split("."))


def read_by(program: Program, environment: dict[str, str]) -> set[str]:
    """Every variable that a process reads."""
    if program is MIGRATE:
        return {f"{service.upper()}_DATABASE_URL" for service in SERVICES}
    found = variables_in(folder_of(program)) | variables_in(ROOT / "shared")
    if program is not INBOX:
        watched = Watched(environment)
        program.read_settings(watched)
        found |= watched.asked
    return found


def composed(program: Program, **operator: str) -> dict[str, str]:
    return compose_file.environment(compose_file.services()[program.name], operator)


def test_the_same_processes_run() -> None:
    assert set(compose_file.services()) - SERVERS - {"secrets"} == {program.name for program in OURS}


@pytest.mark.parametrize("program", OURS, ids=lambda p: p.name)
def test_a_process_has_the_same_command(program: Program) -> None:
    assert compose_file.services()[program.name]["command"] == ["python", "-m", *program.module]


@pytest.mark.parametrize("program", OURS, ids=lambda p: p.name)
def test_compose_gives_a_process_every_variable_that_it_reads(program: Program) -> None:
    given = composed(program)
    missing = read_by(program, given) - set(given) - set(ONLY_THE_RUNNER)
    if program is INBOX:
        missing -= variables_in(ROOT / "shared")
    if program.port is None:
        missing -= {"BIND"}
    assert not missing, f"docker-compose.yml does not pass {sorted(missing)} to {program.name}"


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.name)
def test_both_decide_the_same_variables_for_a_process(program: Program, runner: System) -> None:
    of_compose, of_runner = composed(program), runner.environment(program)
    read = read_by(program, of_compose)
    set_by_compose = {name for name in read if of_compose.get(name)} - set(ONLY_COMPOSE)
    set_by_runner = {name for name in read if of_runner.get(name)} - set(ONLY_THE_RUNNER)
    # Mail goes to an inbox on another port on one machine; in a container the port is the inbox's own.
    assert set_by_runner - {"MAIL_PORT", "MAIL_SECURITY", "SUPERUSER_EMAIL"} == set_by_compose


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.name)
def test_both_start_a_process_with_nothing_set_by_the_operator(program: Program, runner: System) -> None:
    assert program.read_settings(composed(program))
    assert program.read_settings(runner.environment(program))


def test_compose_has_no_defaults_of_its_own_but_places() -> None:
    own = {name for name, default in compose_file.operator_variables().items() if default}
    assert {name for name in own if not name.endswith("PORT")} <= PLACES


def test_the_example_names_every_variable_that_an_operator_can_set() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    named = set(re.findall(r"^# ?([A-Z][A-Z0-9_]+)=", text, re.MULTILINE))
    local = {"DICOEVENT_HOME", "DATABASE_URL"}
    assert named == set(compose_file.operator_variables()) | local
