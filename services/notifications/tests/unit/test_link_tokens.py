"""A link in a mail can be made by us only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifications.errors import LinkRefused
from services.notifications.link_tokens import UnsubscribeLink, read_token, unsubscribe_url, write_token

IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)


@given(IDS, IDS)
def test_what_is_written_is_read(holder: str, organizer: str) -> None:
    token = write_token("secret", holder, organizer)
    assert token.isascii()
    assert read_token("secret", token) == UnsubscribeLink(holder, organizer)


@given(st.text(max_size=200))
def test_nothing_else_is_read(token: str) -> None:
    with pytest.raises(LinkRefused):
        read_token("secret", token)


def test_another_secret_another_person_or_half_a_link_is_refused() -> None:
    token = write_token("secret", "h1", "o1")
    other = write_token("secret", "h2", "o1")
    for forged in (
        token[:-1],
        token.split(".")[0],
        f"{other.split('.')[0]}.{token.split('.')[1]}",
        write_token("another", "h1", "o1"),
    ):
        with pytest.raises(LinkRefused):
            read_token("secret", forged)


def test_the_link_begins_with_the_public_address() -> None:
    assert unsubscribe_url("https://t.example", "s", "h", None).startswith("https://t.example/unsubscribe/")
