"""Pages by number and by cursor."""

import base64
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.http import Invalid, page_of
from shared.http.pages import read_cursor, write_cursor

TIME = datetime(2030, 12, 31, 19, 0, tzinfo=timezone(timedelta(hours=7)))


def test_a_page_past_the_end_is_the_last_one() -> None:
    assert page_of(9, 2, 5).model_dump() == {"page": 3, "page_size": 2, "pages": 3, "total": 5}


def test_an_empty_list_has_one_page() -> None:
    assert page_of(1, 20, 0).model_dump() == {"page": 1, "page_size": 20, "pages": 1, "total": 0}


def test_the_next_cursor_is_answered_when_there_is_one() -> None:
    assert page_of(1, 2, 5, "abc").model_dump()["next_cursor"] == "abc"


def test_a_cursor_gives_back_the_key_it_was_made_of() -> None:
    assert read_cursor(write_cursor((TIME, "id", 7)), datetime, str, int) == (TIME, "id", 7)


@pytest.mark.parametrize(
    "parts",
    ['["2030-01-01", "a"]', '["soon", "a"]', '[1, "a"]', '["2030-01-01T00:00:00+00:00"]', "{}", "[", '"x"'],
)
def test_a_cursor_that_no_list_answered_is_refused(parts: str) -> None:
    with pytest.raises(Invalid, match="cursor"):
        read_cursor(base64.urlsafe_b64encode(parts.encode()).decode().rstrip("="), datetime, str)


def test_a_cursor_with_what_the_database_cannot_hold_is_refused() -> None:
    for part in ("\x00", "\ud800"):
        with pytest.raises(Invalid):
            read_cursor(write_cursor((part,)), str)
    for number in (2**63, True, 1.5):
        with pytest.raises(Invalid):
            read_cursor(write_cursor((number,)), int)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(Invalid):
        read_cursor(text, datetime, str, int)


@given(st.datetimes(timezones=st.just(UTC)), st.integers(-(2**63), 2**63 - 1))
def test_any_key_goes_there_and_back(time: datetime, number: int) -> None:
    assert read_cursor(write_cursor((time, number)), datetime, int) == (time, number)
