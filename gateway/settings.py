"""What the gateway is told from outside; the only reader of its environment."""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from yarl import URL

from gateway.routes import SERVICES

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Value = TypeVar("Value")


class SettingsError(ValueError):
    """A setting is missing or makes no sense; the message names the variable."""


@dataclass(frozen=True)
class Settings:
    """Checked settings; `upstreams` maps each service's name to its base URL."""

    host: str
    port: int
    upstreams: Mapping[str, URL]
    upstream_timeout: float
    max_body_bytes: int
    login_rate_per_minute: int
    trusted_proxies: tuple[Network, ...]


def load(env: Mapping[str, str]) -> Settings:
    """Settings from an environment; raises SettingsError that names the first wrong variable."""
    host, port = _read(env, "BIND", "127.0.0.1:8000", _address)
    return Settings(
        host=host,
        port=port,
        upstreams={name: _read(env, f"{name.upper()}_URL", "", _base_url) for name in SERVICES},
        upstream_timeout=_read(env, "UPSTREAM_TIMEOUT_SECONDS", "30", _positive_float),
        max_body_bytes=_read(env, "MAX_BODY_BYTES", str(1024 * 1024), _positive_int),
        login_rate_per_minute=_read(env, "LOGIN_RATE_PER_MINUTE", "60", _positive_int),
        trusted_proxies=_read(env, "TRUSTED_PROXIES", "", _networks),
    )


def _read(env: Mapping[str, str], name: str, default: str, parse: Callable[[str], Value]) -> Value:
    text = env.get(name, "").strip() or default
    try:
        return parse(text)
    except ValueError as error:
        raise SettingsError(f"{name}: {error}") from error


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"expected HOST:PORT, got {text!r}")
    return host.strip("[]"), int(port)


def _base_url(text: str) -> URL:
    if not text:
        raise ValueError("is required, for example http://127.0.0.1:8001")
    url = URL(text)
    if url.scheme not in ("http", "https") or not url.host or url.path != "/" or url.query_string:
        raise ValueError(f"expected http://HOST:PORT, got {text!r}")
    return url.origin()


def _positive_float(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError(f"expected a number above 0, got {text!r}")
    return number


def _positive_int(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(f"expected a whole number above 0, got {text!r}")
    return number


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
