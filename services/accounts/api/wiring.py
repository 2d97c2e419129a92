"""What every request needs: the wiring, the caller, a transaction, and refusals with their status."""

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request
from sqlalchemy import Connection, Engine

from services.accounts import store
from services.accounts.errors import (
    AccountsError,
    FieldInvalid,
    GroupNotFound,
    NotAllowed,
    TooManyAttempts,
    UserNotFound,
    WrongCredentials,
)
from services.accounts.settings import Network
from services.accounts.throttle import LoginThrottle
from services.accounts.tokens import Signer
from shared.auth import Authenticator, BearerNeeded, Principal
from shared.http import Forbidden, Invalid, NotFound, Refusal, TooMany, Unauthenticated

REFUSALS: dict[type[AccountsError], type[Refusal]] = {
    WrongCredentials: Unauthenticated,
    UserNotFound: NotFound,
    GroupNotFound: NotFound,
    NotAllowed: Forbidden,
}


@dataclass(frozen=True, slots=True)
class Wiring:
    """What bootstrap hands to the API."""

    engine: Engine
    signer: Signer
    authenticator: Authenticator
    throttle: LoginThrottle
    gateway_networks: tuple[Network, ...]
    service_token: str

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """The request's one transaction, committed at its end."""
        with refusals(), self.engine.begin() as connection:
            yield connection


@contextmanager
def refusals() -> Iterator[None]:
    """Gives errors of this service their status."""
    try:
        yield
    except AccountsError as error:
        raise refusal(error) from error


def refusal(error: AccountsError) -> Refusal:
    """The error as an answer."""
    if isinstance(error, FieldInvalid):
        return Invalid.field(error.field, error.problem)
    if isinstance(error, TooManyAttempts):
        return TooMany(str(error), error.wait_seconds)
    return REFUSALS[type(error)](str(error))


def _wiring(request: Request) -> Wiring:
    wiring: Wiring = request.app.state.wiring
    return wiring


def _required(request: Request, _: BearerNeeded) -> Principal:
    wiring = _wiring(request)
    caller = wiring.authenticator.required(request)
    with wiring.engine.connect() as connection:
        if not store.user_exists(connection, caller.id):
            raise Unauthenticated("This account is no longer there.")
    return caller


def _admin(caller: Annotated[Principal, Depends(_required)]) -> Principal:
    if not caller.is_admin:
        raise Forbidden("Only admins may do this.")
    return caller


def _superuser(caller: Annotated[Principal, Depends(_required)]) -> Principal:
    if not caller.is_superuser:
        raise Forbidden("Only superusers may do this.")
    return caller


def _user_id(user_id: str) -> str:
    try:
        return str(UUID(user_id))
    except ValueError:
        raise NotFound("There is no such user.") from None


def _group_id(group_id: str) -> int:
    known = group_id.isascii() and group_id.isdigit() and len(group_id) <= 10
    if not known or int(group_id) >= 2**31:
        raise NotFound("There is no such group.")
    return int(group_id)


def client_address(request: Request) -> str:
    """The client's address, as the gateway says it; the peer's own when that is not the gateway."""
    peer = request.client.host if request.client else ""
    told = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    try:
        ipaddress.ip_address(told)
        believed = any(ipaddress.ip_address(peer) in network for network in _wiring(request).gateway_networks)
    except ValueError:
        return peer
    return told if believed else peer


Wired = Annotated[Wiring, Depends(_wiring)]
Caller = Annotated[Principal, Depends(_required)]
Admin = Annotated[Principal, Depends(_admin)]
Superuser = Annotated[Principal, Depends(_superuser)]
UserId = Annotated[str, Depends(_user_id)]
GroupId = Annotated[int, Depends(_group_id)]
Address = Annotated[str, Depends(client_address)]
Page = Annotated[int, Query(ge=1, le=10**6)]
PageSize = Annotated[int, Query(ge=1, le=100)]
# Empty is the first page of a walk by cursor.
Cursor = Annotated[str | None, Query(max_length=500)]
