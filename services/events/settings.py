"""Everything events reads from the environment."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from shared.settings import (
    Environment,
    SettingError,
    address,
    choice,
    database_url,
    integer,
    required,
    time_zone,
)


@dataclass(frozen=True, slots=True)
class S3Settings:
    """Where posters are on S3."""

    endpoint_url: str
    bucket: str
    access_key: str
    secret_key: str = field(repr=False)
    region: str = "us-east-1"


@dataclass(frozen=True, slots=True)
class Settings:
    """All of them, validated. `default_zone` is the IANA time zone of events that name none, `default_lead`
    the lead time in minutes of those that name none. Posters are on S3 if that is set, else in a folder.
    """

    database_url: str
    broker_url: str
    bind: tuple[str, int]
    accounts_url: str
    service_token: str
    default_zone: str
    default_lead: int
    poster_dir: Path
    s3: S3Settings | None
    heartbeat: Path | None
    log_level: str


def read_settings(env: Environment) -> Settings:
    """The settings in an environment; raises SettingError naming the variable that is wrong."""
    return Settings(
        database_url=database_url(env, "EVENTS_DATABASE_URL"),
        broker_url=env.get("CELERY_BROKER_URL", "").strip() or "redis://127.0.0.1:6379/0",
        bind=address(env, "BIND", "127.0.0.1:8102"),
        accounts_url=env.get("ACCOUNTS_URL", "").strip() or "http://127.0.0.1:8101",
        service_token=required(env, "SERVICE_TOKEN"),
        default_zone=time_zone(env, "DEFAULT_TIME_ZONE", "Asia/Jakarta"),
        default_lead=integer(env, "REMINDER_LEAD_MINUTES", 120, 1, 60 * 24 * 30),
        poster_dir=Path(env.get("POSTER_DIR", "").strip() or "posters").absolute(),
        s3=_s3(env),
        heartbeat=Path(env["HEARTBEAT_FILE"]) if env.get("HEARTBEAT_FILE") else None,
        log_level=choice(env, "LOG_LEVEL", "info", ("debug", "info", "warning", "error")).upper(),
    )


# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def _s3(env: Environment) -> S3Settings | None:
    url = env.get("S3_ENDPOINT_URL", "").strip()
    if not url:
        return None
    if not re.fullmatch(r"https?://[^/\s?#]+/?", url):
        raise SettingError("S3_ENDPOINT_URL", f"{url!r} is not http(s)://host[:port]")
    bucket = env.get("S3_BUCKET", "").strip() or "dicoevent-posters"
    if not _BUCKET.fullmatch(bucket):
        raise SettingError("S3_BUCKET", f"{bucket!r} is not the name of a bucket")
    return S3Settings(
        endpoint_url=url.rstrip("/"),
        bucket=bucket,
        access_key=required(env, "S3_ACCESS_KEY"),
        secret_key=required(env, "S3_SECRET_KEY"),
        region=env.get("S3_REGION", "").strip() or "us-east-1",
    )
