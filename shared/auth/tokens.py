"""Access tokens: JWTs (RFC 7519) signed with Ed25519 (RFC 8037), keys from a JWKS (RFC 7517)."""

import threading
import time
from typing import Any, Protocol

import httpx
import jwt
import structlog

from shared.auth.principal import Principal
from shared.http.errors import DependencyDown
from shared.http.replicas import base_of, open_client

log = structlog.get_logger(__name__)

ISSUER = "dicoevent"
ACCESS = "access"
# Ours have some 500 letters, and 2800 with the longest name.
MAX_TOKEN = 4096
# A signature is checked once: that is a tenth of the work of a small request.
_REMEMBERED = 10_000


class TokenRefused(Exception):
    """The token is not ours, not valid now, or not meant for this."""


class KeySource(Protocol):
    """Finds the public key with an id; None if there is none."""

    def find(self, key_id: str) -> Any | None: ...


class RemoteKeys:
    """The JWKS of accounts, kept; asked again for an unknown key, at most every `pause` seconds."""

    def __init__(self, address: str, pause: float = 5.0) -> None:
        self._address = address
        self._pause = pause
        self._keys: dict[str, Any] = {}
        self._asked = -pause
        self._lock = threading.Lock()

    def find(self, key_id: str) -> Any | None:
        known = self._keys.get(key_id)
        if known is not None:
            return known
        with self._lock:
            if time.monotonic() - self._asked >= self._pause:
                self._fetch()
        return self._keys.get(key_id)

    def _fetch(self) -> None:
        try:
            with open_client(self._address, timeout=httpx.Timeout(3, connect=2)) as client:
                answer = client.get(f"{base_of(self._address)}/.well-known/jwks.json").raise_for_status()
            keys = jwt.PyJWKSet.from_dict(answer.json())
        except (httpx.HTTPError, ValueError, jwt.PyJWTError) as error:
            log.warning("jwks.away", error=f"{type(error).__name__}: {error}")
            if not self._keys:
                raise DependencyDown("The accounts service cannot be asked for its keys now.") from None
            return
        self._asked = time.monotonic()
        self._keys = {key.key_id: key.key for key in keys.keys if key.key_id}


class TokenVerifier:
    """Checks access tokens without a call for each request."""

    def __init__(self, keys: KeySource) -> None:
        self._keys = keys
        self._verified: dict[str, tuple[float, Principal]] = {}

    def verify(self, token: str) -> Principal:
        """The caller a valid access token stands for; raises TokenRefused."""
        if (known := self.recall(token)) is not None:
            return known
        claims = self.claims(token, ACCESS)
        roles = frozenset(str(role) for role in claims.get("roles", ()))
        caller = Principal(id=claims["sub"], username=str(claims.get("username", "")), roles=roles)
        if len(self._verified) >= _REMEMBERED:
            self._verified.clear()
        self._verified[token] = (float(claims["exp"]), caller)
        return caller

    def recall(self, token: str) -> Principal | None:
        """The caller of a token that was verified here before and has not expired; waits for nobody."""
        until, caller = self._verified.get(token, (0.0, None))
        return caller if time.time() < until else None

    def claims(self, token: str, kind: str) -> dict[str, Any]:
        """The claims of a valid token of this kind (`access`, `refresh`)."""
        if len(token) > MAX_TOKEN:
            raise TokenRefused("The token is too long.")
        try:
            key_id = jwt.get_unverified_header(token).get("kid", "")
            key = self._keys.find(key_id)
            if key is None:
                raise TokenRefused("The token is signed with an unknown key.")
            claims = jwt.decode(
                token,
                key,
                algorithms=["EdDSA"],
                issuer=ISSUER,
                leeway=5,
                # When it was made protects nobody, and accounts' clock may be ahead of this machine's.
                options={"require": ["exp", "iat", "sub", "iss"], "verify_iat": False},
            )
        except (jwt.PyJWTError, RecursionError) as error:
            raise TokenRefused(f"The token is not valid: {error}.") from None
        if claims.get("kind") != kind:
            raise TokenRefused(f"Not an {kind} token.")
        return claims
