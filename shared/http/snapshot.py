"""An owner's state in pages, for projections that are rebuilt: `GET /internal/snapshot/NAME?after=ID`."""

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Connection, Engine

from shared.auth import require_service

# (connection, id after which, how many) -> that many things in the order of their ids, each with its "id".
ReadPage = Callable[[Connection, str, int], Sequence[dict[str, Any]]]


def snapshot_router(engine: Engine, service_token: str, name: str, read: ReadPage) -> APIRouter:
    """A router for callers with the service token; the gateway does not route it.

    A page is `{"items": [..], "next": ID or null}`. Pages are not of one moment: what changes meanwhile
    comes by the feed.
    """
    router = APIRouter(include_in_schema=False, dependencies=[Depends(require_service(service_token))])

    @router.get(f"/internal/snapshot/{name}")
    def page(
        after: str = Query("", max_length=128), limit: int = Query(500, ge=1, le=1000)
    ) -> dict[str, Any]:
        with engine.connect() as connection:
            items = read(connection, after, limit)
        return {"items": items, "next": items[-1]["id"] if len(items) == limit else None}

    return router
