"""Reading settings from an environment: every refusal names its variable."""

import os
from collections.abc import Mapping
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

Environment = Mapping[str, str]


class SettingError(Exception):
    """A variable is missing or has a value that cannot work."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name}: {problem}")
        self.name = name


def process_environment() -> Environment:
    """The variables this process was started with."""
    return os.environ


def required(env: Environment, name: str) -> str:
    """A text that has no default."""
    value = env.get(name, "").strip()
    if not value:
        raise SettingError(name, "is required and not set")
    return value


def integer(env: Environment, name: str, default: int, minimum: int = 0, maximum: int = 10**9) -> int:
    """A whole number within [minimum, maximum]."""
    text = env.get(name, "").strip()
    if not text:
        return default
    try:
        value = int(text)
    except ValueError:
        raise SettingError(name, f"{text!r} is not a whole number") from None
    if not minimum <= value <= maximum:
        raise SettingError(name, f"{value} is not between {minimum} and {maximum}")
    return value


def choice(env: Environment, name: str, default: str, allowed: tuple[str, ...]) -> str:
    """One of the allowed words, in lower case."""
    value = env.get(name, "").strip().lower() or default
    if value not in allowed:
        raise SettingError(name, f"{value!r} is not one of {', '.join(allowed)}")
    return value


def time_zone(env: Environment, name: str, default: str) -> str:
    """The name of an IANA time zone."""
    value = env.get(name, "").strip() or default
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingError(name, f"{value!r} is not an IANA time zone") from None
    return value


def database_url(env: Environment, name: str) -> str:
    """A PostgreSQL URL that names its driver, as SQLAlchemy 2.1 wants it."""
    text = required(env, name)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise SettingError(name, "is not a database URL") from None
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise SettingError(name, f"names {url.get_backend_name()}, only PostgreSQL is supported")
    return url.set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)


def address(env: Environment, name: str, default: str) -> tuple[str, int]:
    """A `host:port` to listen on."""
    text = env.get(name, "").strip() or default
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise SettingError(name, f"{text!r} is not host:port")
    return host, int(port)
