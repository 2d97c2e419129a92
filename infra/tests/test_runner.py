"""What the runner refuses, and what it says of a process that does not get well."""

import socket
import threading
from pathlib import Path

import pytest

from infra.local import ports
from infra.local.settings import prepare_home, read_settings
from infra.local.supervisor import Child, NotHealthyError, Supervisor
from infra.local.system import System
from shared.settings import SettingError

WRONG = {
    "MAIL_MAX_CONNECTIONS": "0",
    "MAIL_PORT": "70000",
    "MAIL_SECURITY": "ssl",
    "REMINDER_LEAD_MINUTES": "0",
    "DEFAULT_TIME_ZONE": "Mars/Base",
    "LOG_LEVEL": "loud",
    "LOGIN_RATE_PER_MINUTE": "many",
    "TRUSTED_PROXIES": "everybody",
    "AUTH_SIGNING_KEY": "abc",
    "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_setting_is_refused_by_its_name_before_anything_starts(name: str, tmp_path: Path) -> None:
    system = System(read_settings({"DICOEVENT_HOME": str(tmp_path), name: WRONG[name]}), say=lambda _: None)
    system.choose()
    with pytest.raises(SettingError, match=f"^{name}: "):
        system.check()


def test_of_a_process_that_ends_only_the_lines_of_this_start_are_shown(tmp_path: Path) -> None:
    prepare_home(tmp_path)
    (tmp_path / "log" / "sick.log").write_text("of an earlier start\n")
    supervisor = Supervisor(tmp_path, say=lambda _: None)
    supervisor.start(
        Child("sick", ["sh", "-c", "echo of this start; exit 3"], {}, lambda _: False, str(tmp_path))
    )
    with pytest.raises(NotHealthyError, match="sick: ended with exit code 3") as raised:
        supervisor.wait_healthy(30, threading.Event())
    assert raised.value.lines == ["of this start"]


def test_what_a_process_writes_is_for_its_owner_alone(tmp_path: Path) -> None:
    prepare_home(tmp_path)
    file = tmp_path / "written"
    supervisor = Supervisor(tmp_path, say=lambda _: None)
    supervisor.start(
        Child(
            "writer", ["sh", "-c", "echo x > written; sleep 60"], {}, lambda _: file.exists(), str(tmp_path)
        )
    )
    supervisor.wait_healthy(30, threading.Event())
    supervisor.stop()
    assert file.stat().st_mode & 0o077 == 0
    assert (tmp_path / "log").stat().st_mode & 0o077 == 0


def test_a_process_that_dies_is_started_again_later_each_time_and_that_is_said(tmp_path: Path) -> None:
    prepare_home(tmp_path)
    said: list[str] = []
    supervisor = Supervisor(tmp_path, said.append)
    child = Child("frail", ["sh", "-c", "exit 3"], {}, lambda _: True, str(tmp_path))
    supervisor.start(child)
    for pause in (1, 2, 4, 8, 16, 30, 30):
        assert child.process is not None
        child.process.wait(30)
        supervisor.look_after(child, child.started_at)
        assert said.pop() == f"frail ended with exit code 3; it is started again in {pause} s"
        supervisor.look_after(child, child.started_at + pause - 0.1)
        assert said == []
        supervisor.look_after(child, child.started_at + pause)
        assert said.pop() == "frail is started again"


def test_a_process_that_ran_a_steady_minute_is_started_again_at_once(tmp_path: Path) -> None:
    prepare_home(tmp_path)
    said: list[str] = []
    supervisor = Supervisor(tmp_path, said.append)
    child = Child("steady", ["sh", "-c", "exit 0"], {}, lambda _: True, str(tmp_path), failures=5)
    supervisor.start(child)
    assert child.process is not None
    child.process.wait(30)
    supervisor.look_after(child, child.started_at + 61)
    assert said == ["steady ended with exit code 0; it is started again in 1 s"]


def test_a_port_that_is_taken_is_an_obstacle() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        assert ports.obstacle(taken) == "is taken"
        assert ports.choose(taken, set()) != taken
    assert ports.obstacle(taken) is None


def test_no_port_is_chosen_that_an_outgoing_connection_could_take_during_a_restart() -> None:
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(ports.choose(0, set()) < first for _ in range(20))


def test_a_start_that_waits_for_another_says_so_and_ends_when_it_is_stopped() -> None:
    stopped, said = threading.Event(), []

    def say(text: str) -> None:
        said.append(text)
        stopped.set()

    first = ports.one_start_at_a_time(said.append, threading.Event())
    with first, ports.one_start_at_a_time(say, stopped):
        assert stopped.is_set()
    assert said[-1] == "waiting for another system that is starting"
