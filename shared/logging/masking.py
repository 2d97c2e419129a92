"""Takes addresses and secrets out of what is logged; pure.

It would rather hide too much: a log line is read by many and kept for long.
"""

import re
from typing import Any

import structlog

ADDRESS, HIDDEN = "[address]", "[hidden]"
_DEPTH = 8

_SECRET_NAME = r"[\w-]*(?:passw(?:or)?d|secret|token|api_?key|authorization|signing_?key|cookie)[\w-]*"  # noqa: S105 - a pattern
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    # scheme://user:password@host, whatever the password has in it
    (re.compile(r"(\w://[^\s:/@'\"<>]*):[^\s'\"<>]*@"), rf"\1:{HIDDEN}@"),
    (re.compile(r"\b(bearer|basic)\s+[^\s'\",;]+", re.I), rf"\1 {HIDDEN}"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.?[\w-]*"), HIDDEN),  # a JWT
    (re.compile(r"-----BEGIN [A-Z ]*KEY-----.*?(?:-----END [A-Z ]*KEY-----|\Z)", re.S), HIDDEN),
    (re.compile(r"(/unsubscribe/)[^\s'\"<>?#]+", re.I), rf"\1{HIDDEN}"),
    (
        re.compile(
            rf"\b({_SECRET_NAME})(['\"]?\s*[=:]\s*)"
            r"(?!(?:bearer|basic)\b)(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[^\s'\",;&}\])]+)",
            re.I,
        ),
        rf"\1\2{HIDDEN}",
    ),
    # Local parts may be quoted (RFC 5321). Celery's node@host.1234 goes with them.
    (
        re.compile(
            r"(?:\"(?:[^\"\\]|\\.)+\"|[^\s\"<>(),:;\[\]@]+)@"
            r"(?:\[[0-9A-Fa-f.:xIPv]+\]|[\w.-]*\w)"
        ),
        ADDRESS,
    ),
)
_IS_SECRET = re.compile(_SECRET_NAME, re.I)
# No rule finds anything in ids, names and times like these; most of what is logged is one of them.
_HARMLESS = re.compile(r"(?!.*eyJ)[\w.+-]*|[\d:.TZ+-]*")


def mask_text(text: str) -> str:
    """The text without addresses, tokens and passwords."""
    if _HARMLESS.fullmatch(text):
        return text
    for pattern, instead in _RULES:
        text = pattern.sub(instead, text)
    return text


def mask(value: object, depth: int = _DEPTH) -> Any:
    """A value to log: texts masked, containers walked through, anything else as its masked `repr`."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return mask_text(value)
    if depth and isinstance(value, dict):
        return {mask_text(str(name)): _field(str(name), inner, depth) for name, inner in value.items()}
    if depth and isinstance(value, list | tuple | set | frozenset):
        return [mask(inner, depth - 1) for inner in value]
    return mask_text(repr(value))


def _field(name: str, value: object, depth: int) -> Any:
    if _IS_SECRET.fullmatch(name) and isinstance(value, str | bytes):
        return HIDDEN
    return mask(value, depth - 1)


def mask_event(logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """The structlog processor; the last one before a line is rendered, so that exceptions pass it too."""
    return {name: _field(name, value, _DEPTH) for name, value in event.items()}
