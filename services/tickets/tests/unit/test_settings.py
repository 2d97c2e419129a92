"""Settings and the command line."""

from datetime import timedelta

import pytest

from services.tickets.__main__ import main
from services.tickets.settings import read_settings
from shared.settings import SettingError

ENV = {"TICKETS_DATABASE_URL": "postgresql://u:p@db/tickets", "SERVICE_TOKEN": "t"}


def test_the_defaults_are_enough_with_a_database_and_a_token() -> None:
    settings = read_settings(ENV)
    assert settings.bind == ("127.0.0.1", 8103)
    assert settings.default_zone == "Asia/Jakarta"
    assert settings.heartbeat is None
    assert settings.order_hold is None
    assert settings.keep_keys == timedelta(hours=24)


def test_a_hold_is_told_in_minutes() -> None:
    assert read_settings({**ENV, "ORDER_HOLD_MINUTES": "15"}).order_hold == timedelta(minutes=15)
    assert read_settings({**ENV, "ORDER_HOLD_MINUTES": "0"}).order_hold is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TICKETS_DATABASE_URL", ""),
        ("SERVICE_TOKEN", ""),
        ("BIND", "8103"),
        ("DEFAULT_TIME_ZONE", "Mars/Base"),
        ("DEFAULT_TIME_ZONE", "America"),
        ("LOG_LEVEL", "loud"),
        ("ORDER_HOLD_MINUTES", "-1"),
        ("ORDER_HOLD_MINUTES", "soon"),
        ("IDEMPOTENCY_KEEP_HOURS", "0"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingError, match=name):
        read_settings({**ENV, name: value})


def test_a_wrong_setting_is_one_line_and_status_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TICKETS_DATABASE_URL", raising=False)
    assert main(["api"]) == 1
    assert capsys.readouterr().err == "tickets: TICKETS_DATABASE_URL: is required and not set\n"
