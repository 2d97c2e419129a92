"""The door for HTTP.

wiring.py  what requests need, and refusals with their status
types.py   ticket types        orders.py  registrations
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI

from services.tickets.api import orders, types
from services.tickets.api.wiring import Wiring, install_refusals
from services.tickets.snapshot import read_orders
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
    app = make_api("DicoEvent tickets", vital, useful, lifespan)
    app.state.wiring = wiring
    install_refusals(app)
    app.include_router(types.router)
    app.include_router(orders.router)
    app.include_router(feed_router(wiring.engine, wiring.service_token))
    app.include_router(snapshot_router(wiring.engine, wiring.service_token, "tickets", read_orders))
    return app
