"""FastAPI dependencies that say who may call."""

import secrets
from collections.abc import Callable
from typing import Annotated

from fastapi import Header, Request, Security
from fastapi.security import HTTPBearer

from shared.auth.principal import Principal
from shared.auth.tokens import TokenRefused, TokenVerifier
from shared.http.errors import Forbidden, Unauthenticated

# For the OpenAPI document only: a dependency with one of these is shown as needing, or taking, a token.
BearerNeeded = Annotated[
    object, Security(HTTPBearer(scheme_name="bearer", bearerFormat="JWT", auto_error=False))
]
BearerTaken = Annotated[
    object, Security(HTTPBearer(scheme_name="bearer_optional", bearerFormat="JWT", auto_error=False))
]


class Authenticator:
    """Turns the Authorization header into a Principal."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier

    def optional(self, request: Request, _: BearerTaken = None) -> Principal | None:
        """The caller, None without a token; a bad token is refused even where none is needed."""
        header = request.headers.get("authorization", "")
        if not header:
            return None
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthenticated("Send the access token as `Authorization: Bearer TOKEN`.")
        try:
            return self._verifier.verify(token.strip())
        except TokenRefused as error:
            raise Unauthenticated(str(error)) from None

    def recall(self, request: Request) -> Principal | None:
        """The caller, if his token was verified before; None says nothing. Waits for nobody."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return self._verifier.recall(token.strip()) if scheme.lower() == "bearer" else None

    def required(self, request: Request, _: BearerNeeded = None) -> Principal:
        """The caller; 401 without a token."""
        caller = self.optional(request)
        if caller is None:
            raise Unauthenticated("Sign in first: this needs an access token.")
        return caller

    def admin(self, request: Request, _: BearerNeeded = None) -> Principal:
        """An admin or superuser; 403 for others."""
        return self._with(request, lambda caller: caller.is_admin)

    def superuser(self, request: Request, _: BearerNeeded = None) -> Principal:
        """A superuser; 403 for others."""
        return self._with(request, lambda caller: caller.is_superuser)

    def _with(self, request: Request, allowed: Callable[[Principal], bool]) -> Principal:
        caller = self.required(request)
        if not allowed(caller):
            raise Forbidden("Your role does not allow this.")
        return caller


def require_service(service_token: str) -> Callable[..., None]:
    """A dependency that lets only holders of the service token in."""

    def check(x_service_token: str = Header("")) -> None:
        if not secrets.compare_digest(x_service_token.encode(), service_token.encode()):
            raise Unauthenticated("This is for services only.")

    return check
