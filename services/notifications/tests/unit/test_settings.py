"""Settings are refused at start, by name."""

from datetime import timedelta

import pytest

from services.notifications.errors import RunRequestRefused
from services.notifications.settings import read_mail, read_settings
from services.notifications.tasks import read_run_request
from shared.settings import SettingError

GOOD = {"NOTIFICATIONS_DATABASE_URL": "postgresql://a@b/c", "SERVICE_TOKEN": "t", "LINK_SECRET": "l"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NOTIFICATIONS_DATABASE_URL", ""),
        ("NOTIFICATIONS_DATABASE_URL", "mysql://a/b"),
        ("SERVICE_TOKEN", ""),
        ("LINK_SECRET", ""),
        ("PUBLIC_URL", "ftp://tickets.dicoevent.example"),
        ("PUBLIC_URL", "tickets.dicoevent.example"),
        ("NOTICE_SETTLE_SECONDS", "-1"),
        ("ORDER_CONFIRMATION", "maybe"),
        ("BIND", "nowhere"),
        ("MAIL_PORT", "0"),
        ("MAIL_SECURITY", "ssl"),
        ("REMINDER_LEAD_MINUTES", "soon"),
        ("REMINDER_TICK_SECONDS", "0"),
        ("DELIVERY_UNKNOWN", "maybe"),
        ("CLOCK_OFFSET_SECONDS", "x"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(SettingError) as refused:
        read_settings({**GOOD, name: value})
    assert str(refused.value).startswith(f"{name}: ")


def test_what_the_operator_says_about_reminders_counts_and_has_its_defaults() -> None:
    rules = read_settings(GOOD).reminders
    assert (rules.lead, rules.settle) == (timedelta(hours=2), timedelta(seconds=60))
    assert rules.confirm_orders
    said = {"REMINDER_LEAD_MINUTES": "90", "NOTICE_SETTLE_SECONDS": "5", "ORDER_CONFIRMATION": "off"}
    rules = read_settings({**GOOD, **said}).reminders
    assert (rules.lead, rules.settle) == (timedelta(minutes=90), timedelta(seconds=5))
    assert not rules.confirm_orders


def test_the_driver_is_always_named() -> None:
    assert read_settings(GOOD).database_url.startswith("postgresql+psycopg2://")


@pytest.mark.parametrize(
    ("port", "security"), [("587", "starttls"), ("465", "tls"), ("25", "none"), ("1025", "none")]
)
def test_security_follows_the_port(port: str, security: str) -> None:
    assert read_mail({"MAIL_PORT": port}).security == security


def test_a_password_is_never_sent_in_clear_but_to_loopback() -> None:
    clear = {"MAIL_PASSWORD": "secret", "MAIL_PORT": "25"}
    with pytest.raises(SettingError):
        read_mail({**clear, "MAIL_HOST": "smtp.dicoevent.example"})
    assert read_mail({**clear, "MAIL_HOST": "127.0.0.1"}).password == "secret"


def test_a_run_is_asked_for_with_an_event_or_without() -> None:
    assert read_run_request((), {}).event_id is None
    assert read_run_request(("e1",), {}).event_id == "e1"
    assert read_run_request((), {"event_id": "e1", "again": True}).again is True


@pytest.mark.parametrize(
    ("args", "kwargs"), [((1, 2, 3), {}), ((7,), {}), ((), {"again": "yes"}), (("",), {})]
)
def test_a_run_request_that_makes_no_sense_is_refused(args: tuple, kwargs: dict) -> None:
    with pytest.raises(RunRequestRefused):
        read_run_request(args, kwargs)
