"""The door for HTTP.

wiring.py    what requests need, and their transaction   shapes.py    bodies in and out
events.py    the public calls on events                  reads.py     how reads are answered
posters.py   the public calls on posters                 form.py      the form a poster comes in
internal.py  the calls for other services
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager

from fastapi import Depends, FastAPI
from starlette.middleware import Middleware

from services.events.api import events, internal, posters
from services.events.api.reads import CachedReads
from services.events.api.wiring import Wiring
from services.events.snapshot import read_events
from shared.auth import require_service
from shared.http import Check, make_api
from shared.http.snapshot import snapshot_router
from shared.outbox import feed_router

__all__ = ["Wiring", "make_app"]


def make_app(
    wiring: Wiring,
    vital: Mapping[str, Check],
    useful: Mapping[str, Check],
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None,
) -> FastAPI:
    """The service's API."""
    app = make_api("DicoEvent events", vital, useful, lifespan)
    app.state.wiring = wiring
    # Inside of make_api's own layers, which give it its path and its request id.
    app.user_middleware.append(Middleware(CachedReads, wiring.cache))
    app.include_router(posters.router)
    app.include_router(events.router)
    app.include_router(internal.router, dependencies=[Depends(require_service(wiring.service_token))])
    app.include_router(feed_router(wiring.engine, wiring.service_token))
    app.include_router(snapshot_router(wiring.engine, wiring.service_token, "events", read_events))
    return app
