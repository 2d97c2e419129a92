"""Who is calling: access tokens checked against accounts' public keys, and the service token."""

from shared.auth.dependencies import Authenticator, BearerNeeded, BearerTaken, require_service
from shared.auth.principal import Principal
from shared.auth.tokens import KeySource, RemoteKeys, TokenRefused, TokenVerifier

__all__ = [
    "Authenticator",
    "BearerNeeded",
    "BearerTaken",
    "KeySource",
    "Principal",
    "RemoteKeys",
    "TokenRefused",
    "TokenVerifier",
    "require_service",
]
