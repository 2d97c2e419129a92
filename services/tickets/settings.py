"""Everything tickets reads from the environment."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from shared.settings import Environment, address, choice, database_url, integer, required, time_zone


@dataclass(frozen=True, slots=True)
class Settings:
    """All of them, validated. `default_zone` is the IANA time zone of events that name none.

    `order_hold` is how long a seat waits for its payment, None for ever; `keep_keys` how long an
    Idempotency-Key is remembered.
    """

    database_url: str
    broker_url: str
    bind: tuple[str, int]
    accounts_url: str
    events_url: str
    service_token: str
    default_zone: str
    order_hold: timedelta | None
    keep_keys: timedelta
    heartbeat: Path | None
    log_level: str


def read_settings(env: Environment) -> Settings:
    """The settings in an environment; raises SettingError naming the variable that is wrong."""
    hold = integer(env, "ORDER_HOLD_MINUTES", 0, 0, 60 * 24 * 365)
    return Settings(
        database_url=database_url(env, "TICKETS_DATABASE_URL"),
        broker_url=env.get("CELERY_BROKER_URL", "").strip() or "redis://127.0.0.1:6379/0",
        bind=address(env, "BIND", "127.0.0.1:8103"),
        accounts_url=env.get("ACCOUNTS_URL", "").strip() or "http://127.0.0.1:8101",
        events_url=env.get("EVENTS_URL", "").strip() or "http://127.0.0.1:8102",
        service_token=required(env, "SERVICE_TOKEN"),
        default_zone=time_zone(env, "DEFAULT_TIME_ZONE", "Asia/Jakarta"),
        order_hold=timedelta(minutes=hold) if hold else None,
        keep_keys=timedelta(hours=integer(env, "IDEMPOTENCY_KEEP_HOURS", 24, 1, 24 * 365)),
        heartbeat=Path(env["HEARTBEAT_FILE"]) if env.get("HEARTBEAT_FILE") else None,
        log_level=choice(env, "LOG_LEVEL", "info", ("debug", "info", "warning", "error")).upper(),
    )
