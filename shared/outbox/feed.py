"""The outbox as a feed for consumers that lost a message: `GET /internal/feed?after=POSITION`."""

from typing import Any

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Engine

from shared.auth import require_service
from shared.outbox import store


def feed_router(engine: Engine, service_token: str) -> APIRouter:
    """A router for callers with the service token; the gateway does not route it."""
    router = APIRouter(include_in_schema=False, dependencies=[Depends(require_service(service_token))])

    @router.get("/internal/feed")
    def read(
        after: int = Query(0, ge=0, le=2**62),
        limit: int = Query(500, ge=1, le=1000),
        last: str = Query("", max_length=128),
    ) -> dict[str, Any]:
        with engine.connect() as connection:
            return store.read_feed(connection, after, limit, last)

    return router
