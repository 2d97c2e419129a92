"""The rules of selling."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.tickets import model
from services.tickets.codes import new_code, read_code
from services.tickets.errors import NotAllowed, OrderRefused
from shared.auth import Principal

NOW = datetime(2030, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
EVENT = model.Event("e", 1, "Jazz", "", "UTC", NOW + HOUR, None, "scheduled", 10, "o", None, "", False, 0)
KIND = model.TicketType("t", "e", "VIP", Decimal(1), None, None, 5, 0, False)


@pytest.mark.parametrize(
    ("event", "kind", "why"),
    [
        ({"status": "draft"}, {}, "not on sale"),
        ({"status": "cancelled"}, {}, "not on sale"),
        ({"deleted": True}, {}, "not on sale"),
        ({"starts_at": NOW}, {}, "has started"),
        ({}, {"sales_start": NOW + HOUR}, "has not begun"),
        ({}, {"sales_end": NOW}, "has ended"),
        ({}, {"sold": 5}, "ticket is sold out"),
        ({}, {"sold": 6}, "ticket is sold out"),
        ({"sold": 10}, {}, "event is sold out"),
        ({"quota": 0}, {}, "event is sold out"),
    ],
)
def test_an_order_is_refused_with_its_reason(event: dict[str, Any], kind: dict[str, Any], why: str) -> None:
    with pytest.raises(OrderRefused, match=why):
        model.check_order(replace(EVENT, **event), replace(KIND, **kind), staff=False, now=NOW)


@pytest.mark.parametrize("window", [{"sales_start": NOW + HOUR}, {"sales_end": NOW}])
def test_staff_sell_outside_the_window(window: dict[str, Any]) -> None:
    model.check_order(EVENT, replace(KIND, **window), staff=True, now=NOW)


def test_the_sale_is_open_from_its_first_instant_to_just_before_its_last() -> None:
    kind = replace(KIND, sales_start=NOW, sales_end=NOW + HOUR)
    model.check_order(EVENT, kind, staff=False, now=NOW)


def test_an_event_without_a_quota_has_no_limit() -> None:
    model.check_order(replace(EVENT, quota=None, sold=10**6), KIND, staff=False, now=NOW)


def test_what_is_available_is_never_below_nothing() -> None:
    assert replace(KIND, quota=1, sold=3).available == 0


@pytest.mark.parametrize(
    ("id_", "roles", "expected"),
    [
        ("x", {"admin"}, True),
        ("x", {"superuser"}, True),
        ("o", {"organizer"}, True),
        ("x", {"organizer"}, False),
        ("o", {"user"}, False),
    ],
)
def test_staff_are_admins_and_the_own_organizer(id_: str, roles: set[str], expected: bool) -> None:
    assert model.is_staff(Principal(id_, "u", frozenset(roles)), EVENT) is expected


def test_codes_are_ten_letters_without_those_that_are_misread() -> None:
    codes = {new_code() for _ in range(1000)}
    assert len(codes) == 1000
    assert {len(code) for code in codes} == {10}
    assert not set("".join(codes)) & set("ILOU")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("k7wq2-m9xpa", "K7WQ2M9XPA"),
        (" K7WQ2 M9XPA\n", "K7WQ2M9XPA"),
        ("olioliolio", "0110110110"),
        ("K7WQ2M9XP", None),
        ("K7WQ2M9XPAA", None),
        ("K7WQ2M9XPU", None),
        ("K7WQ2M9XP\x00", None),
        ("", None),
    ],
)
def test_a_code_is_read_with_its_look_alikes(text: str, expected: str | None) -> None:
    assert read_code(text) == expected


ORDER = model.Order("o", 1, "t", "e", "u", "registered", "C", NOW)


@pytest.mark.parametrize("status", model.PAYMENT_STATUSES)
def test_only_staff_take_money_and_give_it_back(status: str) -> None:
    if status in ("completed", "refunded"):
        with pytest.raises(NotAllowed, match=status):
            model.check_payment(status, ORDER, staff=False, now=NOW)
    else:
        model.check_payment(status, ORDER, staff=False, now=NOW)
    model.check_payment(status, ORDER, staff=True, now=NOW)


@pytest.mark.parametrize(
    ("order", "why"),
    [
        (None, "was deleted"),
        (replace(ORDER, status="cancelled"), "is cancelled"),
        (replace(ORDER, status="expired"), "is expired"),
        (replace(ORDER, hold_until=NOW), "has expired"),
    ],
)
def test_no_money_is_taken_for_a_seat_that_is_not_held(order: model.Order | None, why: str) -> None:
    for status in ("pending", "completed"):
        with pytest.raises(OrderRefused, match=why):
            model.check_payment(status, order, staff=True, now=NOW)
    for status in ("failed", "refunded"):
        model.check_payment(status, order, staff=True, now=NOW)


def test_a_hold_is_good_until_its_last_instant() -> None:
    model.check_payment("completed", replace(ORDER, hold_until=NOW + HOUR), staff=True, now=NOW)
