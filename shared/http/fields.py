"""What a text or a number in a request has to be before anything else is asked of it."""

from typing import Any


def storable(text: str) -> str:
    """PostgreSQL's text cannot hold U+0000, and UTF-8 no half of a surrogate pair."""
    if any(letter == "\x00" or "\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError("contains U+0000 or half of a surrogate pair")
    return text


def named(text: str) -> str:
    """A name without the spaces around it; not an empty one."""
    if not text.strip():
        raise ValueError("is empty")
    return text.strip()


def no_boolean(value: Any) -> Any:
    """To pydantic true is the number 1; here it is no number."""
    if isinstance(value, bool):
        raise ValueError("is not a number")
    return value
