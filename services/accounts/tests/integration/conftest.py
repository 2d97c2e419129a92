"""The API on a fresh database, with a superuser."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from services.accounts.api import Wiring, make_app
from services.accounts.handlers import ensure_superuser
from services.accounts.throttle import LoginThrottle
from services.accounts.tokens import Signer
from shared.auth import Authenticator, TokenVerifier
from shared.http import database_check
from shared.outbox.tables import outbox

PASSWORD = "1234qwer!@#$"
SERVICE_TOKEN = "between-services"
_KEY = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@dataclass
class House:
    """The service under test; `root` are the headers of its superuser."""

    engine: Engine
    app: FastAPI
    client: TestClient
    root: dict[str, str]

    def login(self, username: str, password: str = PASSWORD, **headers: str) -> Any:
        """The answer to a login."""
        body = {"username": username, "password": password}
        return self.client.post("/api/login/", json=body, headers=headers)

    def sign_in(self, username: str, password: str = PASSWORD) -> dict[str, str]:
        """The headers of a user."""
        answer = self.login(username, password)
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access']}"}

    def register(self, username: str, **fields: Any) -> dict[str, Any]:
        """A new user as the API answers him."""
        body = {"username": username, "password": PASSWORD, "email": f"{username}@example.com", **fields}
        answer = self.client.post("/api/users/", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def with_role(self, username: str, role: str) -> dict[str, str]:
        """The headers of a new user in the group of that name, which is made if it is not there."""
        user = self.register(username)
        groups = self.client.get("/api/groups/?page_size=100", headers=self.root).json()["groups"]
        found = [group["id"] for group in groups if group["name"] == role]
        group_id = found[0] if found else self.make_group(role)["id"]
        body = {"user_id": user["id"], "group_id": group_id}
        answer = self.client.post("/api/assign-roles/", json=body, headers=self.root)
        assert answer.status_code == 201, answer.text
        return self.sign_in(username)

    def make_group(self, name: str) -> dict[str, Any]:
        """A new group as the API answers it."""
        answer = self.client.post("/api/groups/", json={"name": name}, headers=self.root)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def published(self) -> list[dict[str, Any]]:
        """The envelopes in the outbox, in order."""
        with self.engine.connect() as connection:
            return list(connection.scalars(select(outbox.c.envelope).order_by(outbox.c.seq)))


@pytest.fixture
def house(make_service_engine: Callable[[str], Engine]) -> Iterator[House]:
    engine = make_service_engine("accounts")
    signer = Signer.from_pem(_KEY.decode())
    wiring = Wiring(
        engine=engine,
        signer=signer,
        authenticator=Authenticator(TokenVerifier(signer)),
        throttle=LoginThrottle(5),
        gateway_networks=(ip_network("127.0.0.0/8"),),
        service_token=SERVICE_TOKEN,
    )
    app = make_app(wiring, {"database": database_check(engine)}, {})
    with engine.begin() as connection:
        ensure_superuser(connection, "root", PASSWORD, "root@example.com")
    with TestClient(app, raise_server_exceptions=False, client=("127.0.0.1", 1234)) as client:
        house = House(engine, app, client, {})
        house.root = house.sign_in("root")
        yield house
