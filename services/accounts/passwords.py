"""Password hashes: argon2id (RFC 9106) with the parameters OWASP recommends for it.

Hashes that Django made are accepted too, until their owner has signed in once (is_outdated):
https://docs.djangoproject.com/en/5.2/topics/auth/passwords/#how-django-stores-passwords.
"""

import binascii
from base64 import b64decode
from hashlib import pbkdf2_hmac
from hmac import compare_digest

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Verified for names that nobody has, so that the time of an answer does not tell which names exist.
_NOBODY = _HASHER.hash("nobody has this password")
_PBKDF2 = {"pbkdf2_sha256": "sha256", "pbkdf2_sha1": "sha1"}
# Five times what Django 6 uses; a login must end.
_MOST_ITERATIONS = 6_000_000
# In the place of a hash: no password fits it. Django writes "!" there as well.
UNUSABLE = "!"


def hash_password(password: str) -> str:
    """A hash with its salt and parameters."""
    return _HASHER.hash(password)


def matches(password: str, password_hash: str | None) -> bool:
    """Whether it is the password; takes as long for a user who does not exist (None)."""
    if password_hash is not None and password_hash.partition("$")[0] in _PBKDF2:
        return _matches_pbkdf2(password, password_hash)
    # Django's "argon2" stands before the hash as the field writes it: $argon2id$v=19$...
    native = _NOBODY if password_hash is None else password_hash.removeprefix("argon2")
    try:
        _HASHER.verify(native, password)
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


def is_outdated(password_hash: str) -> bool:
    """Whether the hash was made in another way, or with other parameters, than today's."""
    return not password_hash.startswith("$argon2") or _HASHER.check_needs_rehash(password_hash)


def is_known(password_hash: str) -> bool:
    """Whether `matches` can ever say yes to a hash of this kind."""
    kind = password_hash.partition("$")[0]
    if kind in _PBKDF2:
        return _read_pbkdf2(password_hash) is not None
    return password_hash.startswith(("$argon2", "argon2$argon2"))


def _matches_pbkdf2(password: str, password_hash: str) -> bool:
    if (parts := _read_pbkdf2(password_hash)) is None:
        return False
    digest, iterations, salt, expected = parts
    return compare_digest(pbkdf2_hmac(digest, password.encode(), salt, iterations), expected)


def _read_pbkdf2(password_hash: str) -> tuple[str, int, bytes, bytes] | None:
    """(digest, iterations, salt, key) of `pbkdf2_sha256$ITERATIONS$SALT$KEY`; None for what is none."""
    try:
        kind, iterations, salt, key = password_hash.split("$")
        number, expected = int(iterations), b64decode(key, validate=True)
    except (ValueError, binascii.Error):
        return None
    if kind not in _PBKDF2 or not 1 <= number <= _MOST_ITERATIONS or not expected:
        return None
    return _PBKDF2[kind], number, salt.encode(), expected
