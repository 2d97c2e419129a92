"""The door for HTTP.

wiring.py    what requests need, and refusals with their status
shapes.py    bodies, of the fields in fields.py
types.py     ticket types        orders.py    registrations, placed at the desk (desk.py)
payments.py  payments            check_in.py  the door of the event
keys.py      Idempotency-Key
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI

from services.tickets.api import check_in, orders, payments, types
from services.tickets.api.desk import Desk
from services.tickets.api.wiring import Wiring, install_refusals
from services.tickets.errors import AlreadyCheckedIn
from services.tickets.snapshot import read_orders
from shared.http import Check, make_api
from shared.http.snapshot import snapshot_router
from shared.outbox import feed_router

__all__ = ["Desk", "Wiring", "make_app"]


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
    app.add_exception_handler(AlreadyCheckedIn, check_in.tell_when_and_by_whom)
    # Before ticket types: `check-in` is no id.
    for part in (check_in, types, orders, payments):
        app.include_router(part.router)
    app.include_router(feed_router(wiring.engine, wiring.service_token))
    app.include_router(snapshot_router(wiring.engine, wiring.service_token, "tickets", read_orders))
    return app
