"""Reads of events: from the cache when it holds the answer, else from the database."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import sqlalchemy as sa
from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from services.events import store
from services.events.api.wiring import Wiring
from services.events.cache import AnswerCache, Key
from shared.auth import Principal

Scope = MutableMapping[str, Any]
PUBLIC = "public"
_ROOT = "/api/events"
_LOOKED = "dicoevent.looked"


class CachedReads:
    """ASGI layer: what anybody may read is answered from the cache before any routing.

    The app behind it says what is in the cache, and answers what is not.
    """

    def __init__(self, app: Callable[..., Awaitable[None]], cache: AnswerCache) -> None:
        self._app = app
        self._cache = cache

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if not _is_public_read(scope):
            await self._app(scope, receive, send)
            return
        answer = await self._cache.find(_key(PUBLIC, scope))
        if answer is None:
            scope[_LOOKED] = True
            await self._app(scope, receive, send)
            return
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(answer)).encode()),
            (b"cache-control", b"no-cache"),
            (b"x-data-source", b"cache"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


async def answer_read(
    request: Request, wired: Wiring, view: str, load: Callable[[sa.Connection], BaseModel]
) -> Response:
    """The answer to a read that only depends on the events, the request's address and the view."""
    key = _key(view, request.scope)
    if _LOOKED not in request.scope:
        kept = await wired.cache.find(key)
        if kept is not None:
            return _response(kept, "cache")
    generation, answer = await run_in_threadpool(_load, wired, load)
    await wired.cache.keep(key, generation, answer)
    return _response(answer, "database")


def view_of(caller: Principal | None) -> str:
    """Callers with the same view are shown the same."""
    if caller is None:
        return PUBLIC
    if caller.is_admin:
        return "admin"
    return f"organizer {caller.id}" if caller.is_organizer else PUBLIC


def _load(wired: Wiring, load: Callable[[sa.Connection], BaseModel]) -> tuple[str, bytes]:
    with wired.snapshot() as connection:
        generation = store.read_generation(connection)
        return generation, load(connection).model_dump_json().encode()


def _response(answer: bytes, source: str) -> Response:
    headers = {"Cache-Control": "no-cache", "X-Data-Source": source}
    return Response(answer, media_type="application/json", headers=headers)


def _key(view: str, scope: Scope) -> Key:
    path = scope["path"]
    return Key(view, path, scope["query_string"], is_list=path == _ROOT)


def _is_public_read(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] != "GET":
        return False
    path = scope["path"]
    if path != _ROOT and (not path.startswith(f"{_ROOT}/") or "/" in path[len(_ROOT) + 1 :]):
        return False
    return all(name != b"authorization" for name, _ in scope["headers"])
