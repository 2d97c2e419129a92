"""What an old row is here, and what it cannot be."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from infra.importer import rows
from infra.importer.errors import LeftOut

USER = {"id": 1, "username": "rina", "email": "rina@example.com", "password": "!"}


def test_a_uuid_is_kept_in_one_spelling_and_anything_else_becomes_always_the_same() -> None:
    kept = "0190f5a4-7c1e-7b3a-9d2e-3f4a5b6c7d8e"
    for spelling in (UUID(kept), kept.upper(), kept.replace("-", "")):
        assert rows.target_id("users", spelling) == kept
    made = rows.target_id("users", 7)
    assert made == rows.target_id("users", "7")
    assert UUID(made).version == 5
    assert made != rows.target_id("events", 7)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"email": None}, "no e-mail"), ({"email": "rina"}, "email"), ({"username": " "}, "username"),
        ({"username": "x" * 151}, "username"), ({"first_name": "a\x07"}, "first_name"),
    ],
)  # fmt: skip
def test_a_user_that_cannot_be_is_left_out_with_the_field(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(LeftOut, match=reason):
        rows.user_of({**USER, **changes})


@pytest.mark.parametrize("value", [-1, 2**31, "many", float("nan")])
def test_seats_that_cannot_be_counted_are_left_out(value: object) -> None:
    with pytest.raises(LeftOut, match="quota"):
        rows.whole({"quota": value}, "quota")


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), -1, 10**10, "much"])
def test_money_that_fits_no_column_is_left_out(value: object) -> None:
    with pytest.raises(LeftOut, match="price"):
        rows.money({"price": value}, "price")


def test_money_is_a_decimal_with_two_places() -> None:
    assert str(rows.money({"price": Decimal("150000")}, "price")) == "150000.00"


def test_a_time_without_a_zone_is_read_in_the_given_one() -> None:
    naive = datetime(2030, 1, 2, 19, 0)  # noqa: DTZ001 - a timestamp without time zone
    assert rows.moment(naive, "Asia/Jakarta") == datetime(2030, 1, 2, 12, 0, tzinfo=UTC)
    assert rows.moment(None, "Asia/Jakarta") is None


@pytest.mark.parametrize(
    ("word", "status"), [("Cancelled", "cancelled"), ("canceled", "cancelled"), ("CONFIRMED", "registered")]
)
def test_a_registration_admits_unless_it_was_cancelled(word: str, status: str) -> None:
    assert rows.order_status({"status": word}) == status
