"""Signing tokens: the other side of shared.auth."""

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from shared.auth.tokens import ACCESS, ISSUER
from shared.settings import SettingError

REFRESH = "refresh"
ACCESS_LIFE = timedelta(hours=1)
REFRESH_LIFE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs tokens with one key, and shows its public half."""

    key: Ed25519PrivateKey
    key_id: str
    jwk: dict[str, str]

    @classmethod
    def from_pem(cls, pem: str) -> "Signer":
        """Raises SettingError for what is no Ed25519 key. The key id is its RFC 7638 thumbprint."""
        try:
            key = load_pem_private_key(pem.encode(), password=None)
        except ValueError as error:
            raise SettingError("AUTH_SIGNING_KEY", f"cannot be read: {error}") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise SettingError("AUTH_SIGNING_KEY", "is not an Ed25519 key")
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        public = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(raw)}
        thumbprint = sha256(json.dumps(public, separators=(",", ":"), sort_keys=True).encode()).digest()
        key_id = _base64url(thumbprint)
        return cls(key, key_id, {**public, "kid": key_id, "alg": "EdDSA", "use": "sig"})

    def find(self, key_id: str) -> Any | None:
        """The public key with this id: accounts checks its own tokens without asking anybody."""
        return self.key.public_key() if key_id == self.key_id else None

    def access(self, user_id: str, username: str, roles: list[str], now: datetime) -> str:
        """An access token, good for an hour."""
        return self._sign({"sub": user_id, "username": username, "roles": roles}, ACCESS, ACCESS_LIFE, now)

    def refresh(self, user_id: str, family: str, token_id: str, now: datetime) -> str:
        """A refresh token, good for 30 days and for one use."""
        return self._sign({"sub": user_id, "family": family, "jti": token_id}, REFRESH, REFRESH_LIFE, now)

    def _sign(self, claims: dict[str, Any], kind: str, life: timedelta, now: datetime) -> str:
        claims = {**claims, "iss": ISSUER, "kind": kind, "iat": now, "exp": now + life}
        return jwt.encode(claims, self.key, algorithm="EdDSA", headers={"kid": self.key_id})


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
