"""The API does what its OpenAPI document says, and nothing else."""

import pytest
from argon2 import PasswordHasher

from services.accounts import passwords
from services.accounts.tests.integration.conftest import House
from shared.testing.openapi import findings


def test_schemathesis_finds_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    # Hundreds of passwords are hashed here, and that is made to be slow.
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    found = findings(house.app, house.root, state_refuses="most common")
    assert not found, "\n\n".join(found)
