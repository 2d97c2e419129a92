"""Ticket codes in Crockford's base 32, without letters that are misread: https://www.crockford.com/base32.html."""

import secrets

LENGTH = 10
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOOK_ALIKES = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None})


def new_code() -> str:
    """A code nobody guesses: 10 letters, 50 bits."""
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in secrets.token_bytes(LENGTH))


def read_code(text: str) -> str | None:
    """The code in what was scanned or typed: any letter case, spaces, hyphens and look-alikes; else None."""
    code = "".join(text.split()).upper().translate(_LOOK_ALIKES)
    return code if len(code) == LENGTH and set(code) <= set(_LETTERS) else None
