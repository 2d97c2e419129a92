"""Settings and the command line."""

import pytest

from services.events.__main__ import main
from services.events.settings import read_settings
from shared.settings import SettingError

ENV = {"EVENTS_DATABASE_URL": "postgresql://u:p@db/events", "SERVICE_TOKEN": "t"}


def test_the_defaults_are_enough_with_a_database_and_a_token() -> None:
    settings = read_settings(ENV)
    assert settings.bind == ("127.0.0.1", 8102)
    assert settings.default_zone == "Asia/Jakarta"
    assert settings.default_lead == 120
    assert settings.s3 is None
    assert settings.poster_dir.is_absolute()
    assert settings.heartbeat is None


S3 = {"S3_ENDPOINT_URL": "http://minio:9000/", "S3_ACCESS_KEY": "a", "S3_SECRET_KEY": "hush"}


def test_posters_are_on_s3_when_it_has_an_address_and_keys() -> None:
    s3 = read_settings({**ENV, **S3}).s3
    assert s3 is not None
    assert (s3.endpoint_url, s3.bucket, s3.region) == ("http://minio:9000", "dicoevent-posters", "us-east-1")
    assert "hush" not in repr(s3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("S3_ENDPOINT_URL", "minio:9000"),
        ("S3_ENDPOINT_URL", "http://minio:9000/bucket"),
        ("S3_ACCESS_KEY", ""),
        ("S3_SECRET_KEY", ""),
        ("S3_BUCKET", "No Bucket"),
    ],
)
def test_a_wrong_setting_of_s3_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingError, match=name):
        read_settings({**ENV, **S3, name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EVENTS_DATABASE_URL", ""),
        ("SERVICE_TOKEN", ""),
        ("BIND", "8102"),
        ("DEFAULT_TIME_ZONE", "Mars/Base"),
        ("DEFAULT_TIME_ZONE", "America"),
        ("LOG_LEVEL", "loud"),
        ("REMINDER_LEAD_MINUTES", "0"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingError, match=name):
        read_settings({**ENV, name: value})


def test_a_wrong_setting_is_one_line_and_status_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("EVENTS_DATABASE_URL", raising=False)
    assert main(["api"]) == 1
    assert capsys.readouterr().err == "events: EVENTS_DATABASE_URL: is required and not set\n"
