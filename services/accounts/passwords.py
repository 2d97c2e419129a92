"""Password hashes: argon2id (RFC 9106) with the parameters OWASP recommends for it."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Verified for names that nobody has, so that the time of an answer does not tell which names exist.
_NOBODY = _HASHER.hash("nobody has this password")


def hash_password(password: str) -> str:
    """A hash with its salt and parameters."""
    return _HASHER.hash(password)


def matches(password: str, password_hash: str | None) -> bool:
    """Whether it is the password; takes as long for a user who does not exist (None)."""
    try:
        _HASHER.verify(password_hash or _NOBODY, password)
    except (VerifyMismatchError, InvalidHashError):
        return False
    return password_hash is not None


def is_outdated(password_hash: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(password_hash)
