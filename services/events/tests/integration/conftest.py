"""The API on a fresh database, with tokens of its own and an accounts service that is a dictionary."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from fastapi.testclient import TestClient
from moto.server import ThreadedMotoServer
from sqlalchemy import Engine, select

from services.events.api import Wiring, make_app
from services.events.cache import AnswerCache, GenerationReader
from services.events.settings import S3Settings
from services.events.storage import PosterStorage
from services.events.storage.folder import FolderStorage
from services.events.storage.s3 import S3Storage
from shared.auth import Authenticator, TokenVerifier
from shared.http import Owner, OwnerAway, database_check
from shared.outbox.tables import outbox

KEY = Ed25519PrivateKey.generate()
SERVICE_TOKEN = "between-services"


class OneKey:
    """A key source that knows the test's key."""

    def find(self, key_id: str) -> Any | None:
        return KEY.public_key() if key_id == "test" else None


class Accounts(Owner):
    """Knows the users it is given; `away` makes it unreachable."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1", SERVICE_TOKEN)
        self.users: dict[str, dict[str, Any]] = {}
        self.away = False
        self.asked: list[str] = []

    def find(self, path: str) -> dict[str, Any] | None:
        self.asked.append(path)
        if self.away:
            raise OwnerAway("down")
        return self.users.get(path.removeprefix("users/"))

    def add(self, user_id: str) -> None:
        self.users[user_id] = {"id": user_id, "version": 1, "email": f"{user_id}@example.com"}


def sign_in(user_id: str, *roles: str) -> dict[str, str]:
    """The headers of a caller with these roles."""
    now = int(time.time())
    claims = {
        "iss": "dicoevent", "sub": user_id, "username": user_id, "roles": list(roles),
        "kind": "access", "iat": now, "exp": now + 60,
    }  # fmt: skip
    return {"Authorization": f"Bearer {jwt.encode(claims, KEY, 'EdDSA', headers={'kid': 'test'})}"}


@dataclass
class House:
    """One service under test."""

    engine: Engine
    client: TestClient
    accounts: Accounts
    admin: dict[str, str] = field(default_factory=lambda: sign_in("admin-1", "admin"))
    organizer: dict[str, str] = field(default_factory=lambda: sign_in("organizer-1", "organizer"))
    rival: dict[str, str] = field(default_factory=lambda: sign_in("organizer-2", "organizer"))
    user: dict[str, str] = field(default_factory=lambda: sign_in("user-1"))

    def make_event(self, who: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
        """An event made over HTTP."""
        body = {"name": "Jazz", "start_time": "2030-01-02 19:00", "quota": 100, **fields}
        answer = self.client.post("/api/events/", json=body, headers=who or self.organizer)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def published(self) -> list[tuple[str, int]]:
        """(type, sequence) of each message in the outbox, in order."""
        with self.engine.connect() as connection:
            rows = connection.execute(select(outbox.c.type, outbox.c.envelope).order_by(outbox.c.seq))
            return [(type_, envelope["sequence"]) for type_, envelope in rows]


@contextmanager
def open_house(engine: Engine, redis_url: str, posters: PosterStorage) -> Iterator[House]:
    """One replica of the service; several may share a database and a Redis."""
    accounts = Accounts()
    for user_id in ("admin-1", "organizer-1", "organizer-2"):
        accounts.add(user_id)
    url = engine.url.render_as_string(hide_password=False)
    cache = AnswerCache(GenerationReader(url), redis_url, "test")

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await cache.close()

    wiring = Wiring(
        engine=engine,
        authenticator=Authenticator(TokenVerifier(OneKey())),
        accounts=accounts,
        service_token=SERVICE_TOKEN,
        default_zone="Asia/Jakarta",
        default_lead=120,
        cache=cache,
        posters=posters,
        on_gone=lambda: None,
    )
    app = make_app(wiring, {"database": database_check(engine)}, {}, lifespan)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield House(engine, client, accounts)
    accounts.close()


@pytest.fixture
def house(make_service_engine: Callable[[str], Engine], redis_url: str, tmp_path: Path) -> Iterator[House]:
    with open_house(make_service_engine("events"), redis_url, FolderStorage(tmp_path / "posters")) as opened:
        yield opened


def on_s3(url: str, bucket: str, region: str = "us-east-1") -> S3Storage:
    """Posters on a server that takes any key."""
    return S3Storage(S3Settings(url, bucket, "key", "secret", region))


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> PosterStorage:
    """Each of the two, empty."""
    if request.param == "folder":
        return FolderStorage(tmp_path / "deep" / "posters")
    return on_s3(request.getfixturevalue("s3_url"), f"posters-{uuid4().hex}")
