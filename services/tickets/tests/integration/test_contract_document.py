"""The OpenAPI document and the service say the same."""

from typing import Any

from services.tickets.tests.house import ADMIN, person, sign_in
from shared.testing.openapi import findings

# What depends on what is stored, or what no pattern says: a UUID of nothing, 30 February, a third decimal.
_STATE = "|".join(
    [
        "there is no such",
        "decimal",
        "digits",
        "is not a time that exists",
        "is not between the years",
        "is not one that a list has answered",
    ]
)


def test_the_service_does_what_its_document_says_and_nothing_else(house: Any) -> None:
    house.receive("user.registered", person(ADMIN))
    event = house.know_event()
    house.make_type(event["id"])
    found = findings(house.client.app, sign_in(ADMIN, "superuser"), examples=50, state_refuses=_STATE)
    assert not found, "\n\n".join(found)
