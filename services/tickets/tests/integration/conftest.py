"""The API on a fresh database."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from services.tickets.api import Desk, Wiring, make_app
from services.tickets.owners import Owners
from services.tickets.tests import house as parts
from shared.auth import Authenticator, TokenVerifier
from shared.http import database_check


@pytest.fixture
def house(make_service_engine: Callable[[str], Engine]) -> Iterator[parts.House]:
    yield from _open(make_service_engine("tickets"), None)


@pytest.fixture
def holding_house(make_service_engine: Callable[[str], Engine]) -> Iterator[parts.House]:
    """One where a seat waits a quarter of an hour for its payment."""
    yield from _open(make_service_engine("tickets"), timedelta(minutes=15))


def _open(engine: Engine, hold: timedelta | None) -> Iterator[parts.House]:
    accounts, events = parts.FakeOwner(), parts.FakeOwner()
    for user_id in (parts.ADMIN, parts.ORGANIZER, parts.RIVAL, parts.USER, parts.OTHER):
        accounts.things[f"users/{user_id}"] = parts.person(user_id)
    owners = Owners(engine, accounts, events)
    authenticator, desk = Authenticator(TokenVerifier(parts.OneKey())), Desk(engine)
    wiring = Wiring(engine, authenticator, owners, desk, parts.SERVICE_TOKEN, hold)
    app = make_app(wiring, {"database": database_check(engine)}, {})
    with TestClient(app, raise_server_exceptions=False) as client:
        yield parts.House(engine, client, accounts, events)
    desk.close()
    owners.close()
