"""The door for HTTP.

wiring.py    what requests need, and their transaction   shapes.py  bodies in and out
sessions.py  logins and tokens                           users.py   groups.py
internal.py  the calls for other services
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager

from fastapi import Depends, FastAPI

from services.accounts.api import groups, internal, sessions, users
from services.accounts.api.wiring import Wiring
from services.accounts.snapshot import read_users
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
    app = make_api("DicoEvent accounts", vital, useful, lifespan)
    app.state.wiring = wiring
    for router in (sessions.router, users.router, groups.router):
        app.include_router(router)
    app.include_router(internal.router, dependencies=[Depends(require_service(wiring.service_token))])
    app.include_router(feed_router(wiring.engine, wiring.service_token))
    app.include_router(snapshot_router(wiring.engine, wiring.service_token, "users", read_users))
    return app
