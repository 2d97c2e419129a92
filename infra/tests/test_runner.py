"""What the runner refuses, and what it says of a process that does not get well."""

import threading
from pathlib import Path

import pytest

from infra.local.settings import prepare_home, read_settings
from infra.local.supervisor import Child, NotHealthyError, Supervisor
from infra.local.system import System
from shared.settings import SettingError

WRONG = {
    "MAIL_CONNECTIONS": "0",
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
