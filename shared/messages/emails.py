"""E-mail addresses in messages: syntax only, nobody is asked."""

import re
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email
from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES

# What every rule leaves as it is: no quotes, no dots side by side, ASCII only.
_PLAIN = re.compile(r"(?P<local>[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*)@(?P<domain>[A-Za-z0-9.-]+)")
_LOCAL_LENGTH, _LENGTH = 64, 254


def normalized(address: str) -> str:
    """An address with its domain as everybody writes it; raises ValueError with the reason.

    The checks of a domain are most of the work, and few domains have most addresses: their result is kept.
    """
    plain = _PLAIN.fullmatch(address)
    if plain is None or len(address) > _LENGTH or len(plain["local"]) > _LOCAL_LENGTH:
        return _checked(address)
    if plain["local"].lower() in CASE_INSENSITIVE_MAILBOX_NAMES:
        return _checked(address)
    return f"{plain['local']}@{_domain(plain['domain'])}"


@lru_cache(maxsize=4096)
def _domain(domain: str) -> str:
    return _checked(f"a@{domain}").partition("@")[2]


def _checked(address: str) -> str:
    try:
        return validate_email(address, check_deliverability=False, globally_deliverable=False).normalized
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
