"""The short way through an address says what the long way says."""

import random

import pytest
from email_validator import EmailNotValidError, validate_email

from shared.messages.emails import normalized

PARTS = [
    "sari", "Sari.Dewi", "a", "x" * 64, "x" * 65, "a..b", ".a", "a.", "o'neil", "a b", "é", "info", "Info",
    "postmaster", '"a b"', "a+tag", "a_b-c", "", "ﬁ", "a@b",
]  # fmt: skip
DOMAINS = [
    "dicoevent.example", "DicoEvent.Example", "localhost", "a.test", "-a.com", "a-.com", "a..com", "x.local",
    "bücher.example", "xn--bcher-kva.example", "xn--a.example", "[127.0.0.1]", "127.0.0.1", "a" * 63 + ".com",
    "a" * 64 + ".com", ".".join(["abcdefgh"] * 27) + ".com", "com", "", "a.c", "a.com.", "1.2",
    "under_score.com",
]  # fmt: skip


def long_way(address: str) -> str:
    try:
        return validate_email(address, check_deliverability=False, globally_deliverable=False).normalized
    except EmailNotValidError:
        return "refused"


def short_way(address: str) -> str:
    try:
        return normalized(address)
    except ValueError:
        return "refused"


@pytest.mark.parametrize("domain", DOMAINS)
def test_an_address_is_read_as_its_full_check_reads_it(domain: str) -> None:
    addresses = [f"{local}@{domain}" for local in PARTS]
    random.Random(domain).shuffle(addresses)
    assert {a: short_way(a) for a in addresses} == {a: long_way(a) for a in addresses}


def test_a_refusal_says_why() -> None:
    with pytest.raises(ValueError, match="hyphen"):
        normalized("sari@-dicoevent.example")
