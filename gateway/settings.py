"""What the gateway is told from outside; the only reader of its environment."""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from limits import RateLimitItem, parse
from yarl import URL

from gateway.routes import HASHING, METHODS, SERVICES, TABLE, Route

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Value = TypeVar("Value")


class SettingsError(ValueError):
    """A setting is missing or makes no sense; the message names the variable."""


@dataclass(frozen=True)
class Settings:
    """Checked settings; `upstreams` maps each service's name to the base URLs of its replicas."""

    host: str
    port: int
    upstreams: Mapping[str, tuple[URL, ...]]
    upstream_timeout: float
    max_body_bytes: int
    table: tuple[Route, ...]
    rate_limit_redis_url: str
    trusted_proxies: tuple[Network, ...]
    cors_origins: frozenset[str]
    log_requests: bool


def load(env: Mapping[str, str]) -> Settings:
    """Settings from an environment; raises SettingsError that names the first wrong variable."""
    host, port = _read(env, "BIND", "127.0.0.1:8000", _address)
    broker = env.get("CELERY_BROKER_URL", "").strip()
    return Settings(
        host=host,
        port=port,
        upstreams={name: _read(env, f"{name.upper()}_URL", "", _base_urls) for name in SERVICES},
        upstream_timeout=_read(env, "UPSTREAM_TIMEOUT_SECONDS", "30", _positive_float),
        max_body_bytes=_read(env, "MAX_BODY_BYTES", str(1024 * 1024), _positive_int),
        table=_table(env),
        rate_limit_redis_url=_read(env, "RATE_LIMIT_REDIS_URL", broker, _redis_url),
        trusted_proxies=_read(env, "TRUSTED_PROXIES", "", _networks),
        cors_origins=_read(env, "CORS_ORIGINS", "", _origins),
        log_requests=_read(env, "LOG_LEVEL", "info", _logs_requests),
    )


def _read(env: Mapping[str, str], name: str, default: str, parse: Callable[[str], Value]) -> Value:
    text = env.get(name, "").strip() or default
    try:
        return parse(text)
    except ValueError as error:
        raise SettingsError(f"{name}: {error}") from error


def _table(env: Mapping[str, str]) -> tuple[Route, ...]:
    """The table of routes with this installation's limits."""
    per_minute = _read(env, "LOGIN_RATE_PER_MINUTE", "", lambda text: _positive_int(text) if text else 0)
    limits = _read(env, "RATE_LIMITS", "", _limits)
    if per_minute:
        limits = {("POST", prefix): parse(f"{per_minute}/minute") for prefix in HASHING} | limits
    return tuple(
        replace(
            route,
            limits={**route.limits, **{m: item for (m, p), item in limits.items() if p == route.prefix}},
        )
        for route in TABLE
    )


def _limits(text: str) -> dict[tuple[str, str], RateLimitItem]:
    """`POST /api/login=30/minute, GET /api/events=20/second`: a method and a prefix of the table each."""
    prefixes = {route.prefix for route in TABLE}
    found = {}
    for part in _parts(text):
        where, _, rate = part.partition("=")
        method, _, prefix = where.strip().partition(" ")
        if method not in METHODS or prefix.strip() not in prefixes:
            raise ValueError(f"expected METHOD PREFIX=NUMBER/minute with a routed prefix, got {part!r}")
        found[method, prefix.strip()] = parse(rate.strip())
    return found


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"expected HOST:PORT, got {text!r}")
    return host.strip("[]"), int(port)


def _base_urls(text: str) -> tuple[URL, ...]:
    if not text:
        raise ValueError("is required, for example http://127.0.0.1:8001")
    return tuple(dict.fromkeys(_base_url(part) for part in _parts(text)))


def _base_url(text: str) -> URL:
    url = URL(text)
    if url.scheme not in ("http", "https") or not url.host or url.path != "/" or url.query_string:
        raise ValueError(f"expected http://HOST:PORT, got {text!r}")
    return url.origin()


def _redis_url(text: str) -> str:
    if text and not text.startswith(("redis://", "rediss://")):
        raise ValueError("expected redis://HOST:PORT/NUMBER")
    return text


def _origins(text: str) -> frozenset[str]:
    origins = frozenset(_parts(text))
    for origin in origins - {"*"}:
        url = URL(origin)
        if url.scheme not in ("http", "https") or not url.host or origin != str(url.origin()):
            raise ValueError(f"expected https://HOST without a path, or *, got {origin!r}")
    return origins


def _logs_requests(text: str) -> bool:
    if text.lower() not in ("debug", "info", "warning", "error"):
        raise ValueError(f"expected debug, info, warning or error, got {text!r}")
    return text.lower() in ("debug", "info")


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
    return tuple(ipaddress.ip_network(part) for part in _parts(text))


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
