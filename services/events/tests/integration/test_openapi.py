"""The API does what its document says, and nothing else."""

from typing import Any

from shared.testing.openapi import findings

# What no JSON schema can say: which zones there are, which users, which bytes are a picture or a cursor.
STATE_REFUSES = (
    "is not an IANA time zone|there is no such user|is not one that a list has answered"
    "|is not a whole PNG, JPEG, GIF or WebP picture|no file was sent"
)


def test_schemathesis_finds_nothing(house: Any) -> None:
    house.make_event()
    found = findings(house.client.app, house.admin, state_refuses=STATE_REFUSES)
    assert not found, "\n\n".join(found)
