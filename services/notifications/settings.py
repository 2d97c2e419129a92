"""Everything notifications reads from the environment."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from shared.settings import (
    Environment,
    SettingError,
    address,
    choice,
    database_url,
    integer,
    required,
)

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class MailSettings:
    """The mail server. `security` is `starttls`, `tls` or `none`; a rate of 0 is no limit.

    `timeout_seconds` is how long opening a connection or an envelope may take, `final_timeout_seconds` how
    long the answer to a whole mail (RFC 5321 4.5.3.2.6 wants patience: giving up makes a second copy).
    Links in mails begin with `public_url` and are signed with `link_secret`.
    """

    host: str
    port: int
    user: str
    password: str
    sender: str
    security: str
    ca_file: str | None
    rate_per_second: int
    max_connections: int
    connection_mails: int
    connection_seconds: int
    timeout_seconds: int
    final_timeout_seconds: int
    public_url: str
    link_secret: str


@dataclass(frozen=True, slots=True)
class ReminderSettings:
    """When reminders are due, what else is sent, and how deliveries are leased and tried again.

    `settle`: how long an event has to stay as it is before its holders hear of a change. `pause` is how long
    a campaign rests after a 5.7.x; `grace` how long an orderly stop waits for answers.
    """

    lead: timedelta
    tick: timedelta
    lease: timedelta
    sweep: timedelta
    max_attempts: int
    resend_unknown: bool
    clock_offset: timedelta
    settle: timedelta = timedelta(seconds=60)
    confirm_orders: bool = True
    pause: timedelta = timedelta(minutes=10)
    grace: timedelta = timedelta(seconds=8)


@dataclass(frozen=True, slots=True)
class Settings:
    """All of them, validated."""

    database_url: str
    broker_url: str
    bind: tuple[str, int]
    accounts_url: str
    events_url: str
    tickets_url: str
    service_token: str
    heartbeat: Path | None
    log_level: str
    mail: MailSettings
    reminders: ReminderSettings


def read_settings(env: Environment) -> Settings:
    """The settings in an environment; raises SettingError naming the variable that is wrong."""
    return Settings(
        database_url=database_url(env, "NOTIFICATIONS_DATABASE_URL"),
        broker_url=read_broker_url(env),
        bind=address(env, "BIND", "127.0.0.1:8104"),
        accounts_url=env.get("ACCOUNTS_URL") or "http://127.0.0.1:8101",
        events_url=env.get("EVENTS_URL") or "http://127.0.0.1:8102",
        tickets_url=env.get("TICKETS_URL") or "http://127.0.0.1:8103",
        service_token=required(env, "SERVICE_TOKEN"),
        heartbeat=Path(env["HEARTBEAT_FILE"]) if env.get("HEARTBEAT_FILE") else None,
        log_level=choice(env, "LOG_LEVEL", "info", ("debug", "info", "warning", "error")).upper(),
        mail=read_mail({**env, "LINK_SECRET": required(env, "LINK_SECRET")}),
        reminders=read_reminders(env),
    )


def public_url(env: Environment) -> str:
    """Where people reach the gateway: links in mails begin with it."""
    url = env.get("PUBLIC_URL", "").strip().rstrip("/") or "http://127.0.0.1:8000"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or len(url) > 300:
        raise SettingError("PUBLIC_URL", f"{url!r} is not an http:// or https:// address")
    return url


def read_broker_url(env: Environment) -> str:
    """Where Redis is; the default is Redis's own."""
    return env.get("CELERY_BROKER_URL", "").strip() or "redis://127.0.0.1:6379/0"


def read_mail(env: Environment) -> MailSettings:
    """The mail settings: a password is never sent in clear, but to loopback."""
    port = integer(env, "MAIL_PORT", 1025, 1, 65535)
    default = {587: "starttls", 465: "tls"}.get(port, "none")
    security = choice(env, "MAIL_SECURITY", default, ("starttls", "tls", "none"))
    host = env.get("MAIL_HOST", "").strip() or "127.0.0.1"
    password = env.get("MAIL_PASSWORD", "")
    if password and security == "none" and host not in _LOOPBACK:
        raise SettingError("MAIL_SECURITY", f"none would send MAIL_PASSWORD in clear to {host}")
    return MailSettings(
        host=host,
        port=port,
        user=env.get("MAIL_USER", ""),
        password=password,
        sender=env.get("MAIL_FROM", "").strip() or "DicoEvent <reminders@dicoevent.example>",
        security=security,
        ca_file=_read_ca_file(env),
        rate_per_second=integer(env, "MAIL_RATE_PER_SECOND", 0, 0, 10**6),
        max_connections=integer(env, "MAIL_MAX_CONNECTIONS", 32, 1, 1000),
        connection_mails=integer(env, "MAIL_CONNECTION_MAILS", 1000, 1, 10**6),
        connection_seconds=integer(env, "MAIL_CONNECTION_SECONDS", 300, 1, 86400),
        timeout_seconds=integer(env, "MAIL_TIMEOUT_SECONDS", 15, 1, 300),
        final_timeout_seconds=integer(env, "MAIL_FINAL_TIMEOUT_SECONDS", 300, 1, 3600),
        public_url=public_url(env),
        link_secret=env.get("LINK_SECRET", "").strip(),
    )


def _read_ca_file(env: Environment) -> str | None:
    path = env.get("MAIL_CA_FILE", "").strip()
    if path and not Path(path).is_file():
        raise SettingError("MAIL_CA_FILE", f"{path!r} is not a file")
    return path or None


def read_reminders(env: Environment) -> ReminderSettings:
    """When what is sent, and how often it is tried."""
    offset = env.get("CLOCK_OFFSET_SECONDS", "").strip() or "0"
    try:
        clock_offset = timedelta(seconds=float(offset))
    except (ValueError, OverflowError):
        raise SettingError("CLOCK_OFFSET_SECONDS", f"{offset!r} is not a number of seconds") from None
    return ReminderSettings(
        lead=timedelta(minutes=integer(env, "REMINDER_LEAD_MINUTES", 120, 1, 60 * 24 * 30)),
        tick=timedelta(seconds=integer(env, "REMINDER_TICK_SECONDS", 15, 1, 3600)),
        lease=timedelta(seconds=integer(env, "DELIVERY_LEASE_SECONDS", 60, 2, 3600)),
        sweep=timedelta(seconds=integer(env, "DELIVERY_SWEEP_SECONDS", 2, 1, 60)),
        max_attempts=integer(env, "DELIVERY_MAX_ATTEMPTS", 20, 1, 1000),
        resend_unknown=choice(env, "DELIVERY_UNKNOWN", "resend", ("resend", "hold")) == "resend",
        clock_offset=clock_offset,
        settle=timedelta(seconds=integer(env, "NOTICE_SETTLE_SECONDS", 60, 0, 3600)),
        confirm_orders=choice(env, "ORDER_CONFIRMATION", "on", ("on", "off")) == "on",
        pause=timedelta(minutes=integer(env, "MAIL_PAUSE_MINUTES", 10, 1, 24 * 60)),
        grace=timedelta(seconds=integer(env, "DELIVERY_GRACE_SECONDS", 8, 1, 600)),
    )
