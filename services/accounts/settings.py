"""Everything accounts reads from the environment."""

import ipaddress
from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

from shared.settings import Environment, SettingError, address, choice, database_url, integer, required

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# This machine and the ranges that no router of the internet knows (RFC 1918, RFC 4193).
_INTERNAL = "127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7"


@dataclass(frozen=True, slots=True)
class FirstSuperuser:
    """Who may do everything when nobody is there yet."""

    username: str
    password: str
    email: str


@dataclass(frozen=True, slots=True)
class Settings:
    """All of them, validated. `signing_key` is an Ed25519 private key, PEM. A peer in `gateway_networks` is
    believed to be the gateway when it says which client it speaks for.
    """

    database_url: str
    broker_url: str
    bind: tuple[str, int]
    signing_key: str
    service_token: str
    superuser: FirstSuperuser | None
    login_attempts_per_minute: int
    gateway_networks: tuple[Network, ...]
    log_level: str


def read_settings(env: Environment) -> Settings:
    """The settings in an environment; raises SettingError naming the variable that is wrong."""
    return Settings(
        database_url=database_url(env, "ACCOUNTS_DATABASE_URL"),
        broker_url=env.get("CELERY_BROKER_URL", "").strip() or "redis://127.0.0.1:6379/0",
        bind=address(env, "BIND", "127.0.0.1:8101"),
        signing_key=_signing_key(env),
        service_token=required(env, "SERVICE_TOKEN"),
        superuser=_superuser(env),
        login_attempts_per_minute=integer(env, "LOGIN_ATTEMPTS_PER_MINUTE", 10, minimum=1),
        gateway_networks=_networks(env, "GATEWAY_NETWORKS", _INTERNAL),
        log_level=choice(env, "LOG_LEVEL", "info", ("debug", "info", "warning", "error")).upper(),
    )


def _networks(env: Environment, name: str, default: str) -> tuple[Network, ...]:
    text = env.get(name, "").strip() or default
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise SettingError(name, str(error)) from None


def _signing_key(env: Environment) -> str:
    # In a file of NAME=value lines the newlines of a PEM are written as \n.
    pem = required(env, "AUTH_SIGNING_KEY").replace("\\n", "\n")
    if not pem.startswith("-----BEGIN PRIVATE KEY-----"):
        raise SettingError("AUTH_SIGNING_KEY", "is not a private key in PEM (PKCS 8)")
    return pem


def _superuser(env: Environment) -> FirstSuperuser | None:
    username = env.get("SUPERUSER_USERNAME", "").strip()
    if not username:
        return None
    email = env.get("SUPERUSER_EMAIL", "").strip() or f"{username}@dicoevent.example"
    try:
        validate_email(email, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as error:
        raise SettingError("SUPERUSER_EMAIL", f"{email!r} is no address: {error}") from None
    return FirstSuperuser(username, required(env, "SUPERUSER_PASSWORD"), email)
