"""Signing in, and staying so."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from services.accounts import handlers, store
from services.accounts.api.shapes import Credentials, RefreshBody, TokensBody
from services.accounts.api.wiring import Address, Wired, refusals
from services.accounts.errors import WrongCredentials
from shared.http import Unauthenticated, problems

router = APIRouter()


@router.post("/api/login", tags=["accounts"], responses=problems(401, 429, _401=handlers.WRONG))
def login(body: Credentials, wired: Wired, address: Address) -> TokensBody:
    """Tokens for a username and password. Too many failures for a name or an address: 429."""
    with refusals():
        wired.throttle.check(body.username, address)
    with wired.transaction() as connection:
        user = store.find_by_username(connection, body.username)
    # No connection is held meanwhile: hashing takes longer than all queries together.
    if not handlers.knows_password(user, body.password) or user is None:
        wired.throttle.failed(body.username, address)
        raise Unauthenticated(handlers.WRONG)
    with wired.transaction() as connection:
        tokens = handlers.sign_in(connection, user, body.password, wired.signer)
    return TokensBody(access=tokens.access, refresh=tokens.refresh)


@router.post("/api/token", tags=["accounts"], responses=problems(401, _401="The token is not valid."))
def refresh(body: RefreshBody, wired: Wired) -> TokensBody:
    """New tokens for a refresh token. Each is good once: using an old one ends its whole family."""
    with wired.transaction() as connection:
        tokens = handlers.refresh(connection, body.refresh, wired.signer)
    if tokens is None:
        # Raised after the commit that ended the family.
        with refusals():
            raise WrongCredentials("The refresh token was used before, or its user is gone. Sign in again.")
    return TokensBody(access=tokens.access, refresh=tokens.refresh)


@router.get("/.well-known/jwks.json", include_in_schema=False)
def keys(wired: Wired) -> JSONResponse:
    """The public key that services check access tokens with."""
    return JSONResponse({"keys": [wired.signer.jwk]}, headers={"Cache-Control": "max-age=300"})
