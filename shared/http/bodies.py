"""JSON that every service refuses before it reads it: not JSON after all (NaN), or nested without end."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from shared.http.problems import problem

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
# The deepest body of the contract has three levels.
MAX_DEPTH = 32
# More than any gateway lets through; a service that is reached another way holds no more in memory.
MAX_BYTES = 16 * 1024 * 1024
_CONSTANTS = (b"NaN", b"Infinity")


class StrictJson:
    """ASGI middleware: RFC 8259 JSON only, at most `MAX_DEPTH` deep and `MAX_BYTES` long.

    A body that looks harmless, as nearly all do, is parsed once only: by the call itself.
    """

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Any) -> None:
        if scope["type"] != "http" or not _may_be_json(scope):
            await self._app(scope, receive, send)
            return
        body, rest = await _read(receive)
        if body is None:
            refusal = problem(413, "Too large", f"The body has more than {MAX_BYTES} bytes.")
            await refusal(scope, receive, send)
        elif reason := why_refused(body):
            await problem(400, "Bad request", reason, {"body": [reason]})(scope, receive, send)
        else:
            await self._app(scope, _replay(rest, receive), send)


def why_refused(body: bytes) -> str | None:
    """What is wrong with a body that a lenient parser would take; None if nothing is."""
    if not _is_suspicious(body):
        return None
    try:
        value = json.loads(body, parse_constant=_no_constant)
    except _Constant as error:
        return f"{error} is no JSON: RFC 8259 has no such number."
    except RecursionError:
        return f"The body is nested deeper than {MAX_DEPTH} levels."
    except ValueError:
        return None  # The call's own parser says where.
    return f"The body is nested deeper than {MAX_DEPTH} levels." if _is_deep(value) else None


class _Constant(Exception):
    pass


def _no_constant(name: str) -> None:
    raise _Constant(name)


def _is_suspicious(body: bytes) -> bool:
    # UTF-16 and UTF-32, which json.loads also reads, have zero bytes.
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH or b"\x00" in body[:4]:
        return True
    return any(constant in body for constant in _CONSTANTS)


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return False
    return any(isinstance(value, dict | list) for value in level)


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _may_be_json(scope: Scope) -> bool:
    if scope["method"] not in ("POST", "PUT", "PATCH"):
        return False
    content_type = dict(scope["headers"]).get(b"content-type", b"").partition(b";")[0].strip().lower()
    return not content_type or content_type.endswith(b"json")


async def _read(receive: Receive) -> tuple[bytes | None, list[MutableMapping[str, Any]]]:
    """(the body, None if it is too long; the events that it came in)."""
    events, size, more = [], 0, True
    while more:
        events.append(await receive())
        size += len(events[-1].get("body", b""))
        more = events[-1].get("more_body", False)
        if size > MAX_BYTES:
            return None, events
    return b"".join(event.get("body", b"") for event in events), events


def _replay(events: list[MutableMapping[str, Any]], receive: Receive) -> Receive:
    waiting = iter(events)

    async def again() -> MutableMapping[str, Any]:
        return next(waiting, None) or await receive()

    return again
