"""Hashes of ours and of Django."""

import pytest

from services.accounts import passwords


def test_a_hash_fits_its_password_only_and_never_nobody() -> None:
    made = passwords.hash_password("correct horse")
    assert passwords.matches("correct horse", made)
    assert not passwords.matches("correct horsf", made)
    assert not passwords.matches("correct horse", None)
    assert not passwords.is_outdated(made)


@pytest.mark.parametrize(
    "broken",
    [
        "", "!", "!abc", "md5$x$y", "pbkdf2_sha256", "pbkdf2_sha256$x$y$z", "pbkdf2_sha256$0$y$eno=",
        "pbkdf2_sha256$999999999$salt$eno=", "pbkdf2_sha256$1$salt$", "pbkdf2_sha256$1$s$?", "argon2",
        "argon2$argon2id$v=19$", "bcrypt_sha256$$2b$12$abc",
    ],
)  # fmt: skip
def test_what_is_no_hash_fits_no_password(broken: str) -> None:
    for password in ("", "x", broken):
        assert not passwords.matches(password, broken)
    assert passwords.is_outdated(broken)


@pytest.mark.parametrize(
    ("stored", "known"),
    [
        ("pbkdf2_sha256$1000000$salt$eno=", True), ("pbkdf2_sha1$1$salt$eno=", True),
        ("argon2$argon2id$v=19$m=102400,t=2,p=8$c2FsdA$aGFzaA", True), ("$argon2id$v=19$m=1", True),
        ("bcrypt_sha256$$2b$12$abc", False), ("!unusable", False), ("", False), ("pbkdf2_sha256$1", False),
    ],
)  # fmt: skip
def test_hashes_that_can_never_fit_are_known_as_such(stored: str, known: bool) -> None:
    assert passwords.is_known(stored) is known
