"""Door: HTTP in."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.responses import JSONResponse
from sqlalchemy import Engine

from services.accounts import handlers, store
from services.accounts.errors import (
    AccountsError,
    FieldInvalid,
    GroupNotFound,
    NotAllowed,
    UserNotFound,
    WrongCredentials,
)
from services.accounts.shapes import (
    Credentials,
    GroupBody,
    GroupChange,
    GroupList,
    NewUser,
    RefreshBody,
    RoleAssignment,
    TokensBody,
    UserBody,
    UserChange,
    UserPage,
)
from services.accounts.snapshot import read_users
from services.accounts.tokens import Signer
from shared.auth import Authenticator, Principal, require_service
from shared.http import Check, Forbidden, Invalid, NotFound, Refusal, Unauthenticated, make_api, page_of
from shared.http.snapshot import snapshot_router
from shared.outbox import feed_router

_REFUSALS: dict[type[AccountsError], type[Refusal]] = {
    WrongCredentials: Unauthenticated,
    UserNotFound: NotFound,
    GroupNotFound: NotFound,
    NotAllowed: Forbidden,
}


@dataclass(frozen=True, slots=True)
class Doors:
    """What the API's calls need."""

    engine: Engine
    signer: Signer
    authenticator: Authenticator
    service_token: str


def make_app(
    doors: Doors,
    vital: dict[str, Check],
    useful: dict[str, Check],
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None,
) -> FastAPI:
    """The accounts API."""
    app = make_api("DicoEvent accounts", vital, useful, lifespan)
    app.add_exception_handler(AccountsError, _refuse)
    for router in (_sessions(doors), _users(doors), _groups(doors)):
        app.include_router(router, tags=["accounts"])
    app.include_router(_internal(doors))
    app.include_router(feed_router(doors.engine, doors.service_token))
    app.include_router(snapshot_router(doors.engine, doors.service_token, "users", read_users))
    return app


def _refuse(request: Request, error: Exception) -> Any:
    if isinstance(error, FieldInvalid):
        refusal: Refusal = Invalid.field(error.field, error.problem)
    else:
        assert isinstance(error, AccountsError), "registered for these only"
        refusal = _REFUSALS[type(error)](str(error))
    return request.app.exception_handlers[Refusal](request, refusal)


def _user_id(user_id: str) -> str:
    try:
        return str(UUID(user_id))
    except ValueError:
        raise NotFound("There is no such user.") from None


def _group_id(group_id: str) -> int:
    if not group_id.isascii() or not group_id.isdigit() or len(group_id) > 9:
        raise NotFound("There is no such group.")
    return int(group_id)


UserId = Annotated[str, Depends(_user_id)]
GroupId = Annotated[int, Depends(_group_id)]


def _sessions(doors: Doors) -> APIRouter:
    router = APIRouter()

    @router.post("/api/login")
    def login(body: Credentials) -> TokensBody:
        """Tokens for a username and password."""
        with doors.engine.begin() as connection:
            tokens = handlers.login(connection, body.username, body.password, doors.signer)
        return TokensBody(access=tokens.access, refresh=tokens.refresh)

    @router.post("/api/token")
    def refresh(body: RefreshBody) -> TokensBody:
        """New tokens for a refresh token. Each is good once: using an old one ends its whole family."""
        with doors.engine.begin() as connection:
            tokens = handlers.refresh(connection, body.refresh, doors.signer)
        if tokens is None:
            raise WrongCredentials("The refresh token was used before, or its user is gone. Sign in again.")
        return TokensBody(access=tokens.access, refresh=tokens.refresh)

    @router.get("/.well-known/jwks.json", include_in_schema=False)
    def keys() -> JSONResponse:
        return JSONResponse({"keys": [doors.signer.jwk]}, headers={"Cache-Control": "max-age=300"})

    return router


def _users(doors: Doors) -> APIRouter:
    router = APIRouter(prefix="/api/users")
    caller_, admin_ = doors.authenticator.required, doors.authenticator.admin

    @router.post("", status_code=201)
    def register(body: NewUser) -> UserBody:
        """Makes an account; anyone may."""
        with doors.engine.begin() as connection:
            return UserBody.of(handlers.register(connection, body.fields()))

    @router.get("")
    def list_users(
        caller: Principal = Depends(admin_),
        page: int = Query(1, ge=1, le=10**6),
        page_size: int = Query(20, ge=1, le=100),
    ) -> UserPage:
        """All users, for admins."""
        with doors.engine.connect() as connection:
            users, total = store.list_users(connection, page, page_size)
        bodies = [UserBody.of(user) for user in users]
        return UserPage(users=bodies, pagination=page_of(page, page_size, total))

    @router.get("/{user_id}")
    def get_user(user_id: UserId, caller: Principal = Depends(caller_)) -> UserBody:
        """A user, for himself and admins."""
        with doors.engine.connect() as connection:
            return UserBody.of(handlers.get_user(connection, user_id, caller))

    @router.put("/{user_id}")
    @router.patch("/{user_id}")
    def change_user(user_id: UserId, body: UserChange, caller: Principal = Depends(caller_)) -> UserBody:
        """Changes any subset of the fields."""
        with doors.engine.begin() as connection:
            return UserBody.of(handlers.change_user(connection, user_id, body.fields(), caller))

    @router.delete("/{user_id}", status_code=204)
    def delete_user(user_id: UserId, caller: Principal = Depends(admin_)) -> None:
        """Deletes a user; his name and address go from everywhere."""
        with doors.engine.begin() as connection:
            handlers.delete_user(connection, user_id, caller)

    return router


def _groups(doors: Doors) -> APIRouter:
    router = APIRouter(dependencies=[Depends(doors.authenticator.superuser)])

    @router.get("/api/groups")
    def list_groups() -> GroupList:
        """All groups."""
        with doors.engine.connect() as connection:
            rows = store.list_groups(connection)
        return GroupList(groups=[GroupBody(id=row.id, name=row.name) for row in rows])

    @router.post("/api/groups", status_code=201)
    def make_group(body: GroupChange) -> GroupBody:
        """Makes a group. Its name is the role: admin, organizer; other names carry no right."""
        with doors.engine.begin() as connection:
            return GroupBody(id=handlers.name_group(connection, body.name), name=body.name)

    @router.get("/api/groups/{group_id}")
    def get_group(group_id: GroupId) -> GroupBody:
        """One group."""
        with doors.engine.connect() as connection:
            row = store.find_group(connection, group_id)
        if row is None:
            raise GroupNotFound("There is no such group.")
        return GroupBody(id=row.id, name=row.name)

    @router.put("/api/groups/{group_id}")
    def rename_group(group_id: GroupId, body: GroupChange) -> GroupBody:
        """Gives a group another name."""
        with doors.engine.begin() as connection:
            return GroupBody(id=handlers.name_group(connection, body.name, group_id), name=body.name)

    @router.delete("/api/groups/{group_id}", status_code=204)
    def delete_group(group_id: GroupId) -> None:
        """Deletes a group; its members lose the role."""
        with doors.engine.begin() as connection:
            if not store.remove_group(connection, group_id):
                raise GroupNotFound("There is no such group.")

    @router.post("/api/assign-roles", status_code=201)
    def assign_role(body: RoleAssignment) -> RoleAssignment:
        """Puts a user into a group; it counts from his next token."""
        with doors.engine.begin() as connection:
            handlers.assign_role(connection, body.user_id, body.group_id)
        return body

    return router


def _internal(doors: Doors) -> APIRouter:
    dependencies = [Depends(require_service(doors.service_token))]
    router = APIRouter(prefix="/internal", include_in_schema=False, dependencies=dependencies)

    @router.get("/users/{user_id}")
    def get_user(user_id: UserId) -> dict[str, Any]:
        with doors.engine.connect() as connection:
            user = store.find_user(connection, user_id)
        if user is None:
            raise UserNotFound("There is no such user.")
        return handlers.user_data(user).model_dump()

    return router
