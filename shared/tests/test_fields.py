"""Texts in requests: what is taken, what is refused, and that the document says the same."""

import re
from typing import Annotated

import pytest
from pydantic import BaseModel, Field, ValidationError

from shared.http.fields import Line, Name, Prose


class Body(BaseModel):
    line: Annotated[Line, Field(max_length=20)] = ""
    text: Annotated[Prose, Field(max_length=20)] = ""
    name: Annotated[Name, Field(max_length=20)] = "x"


SHOWN = Body.model_json_schema()["properties"]


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("line", "a\x00b"), ("line", "a\nb"), ("line", "a\x1bb"), ("line", "a\x7f"), ("line", "a\x9fb"),
        ("text", "a\x00b"), ("text", "a\x0bb"), ("text", "a\x85b"),
        ("name", ""), ("name", "  "), ("name", "\u2003\xa0"), ("name", "a\tb"),
    ],
)  # fmt: skip
def test_control_characters_and_empty_names_are_refused_and_not_in_the_document(
    field: str, text: str
) -> None:
    with pytest.raises(ValidationError):
        Body(**{field: text})
    assert not re.search(SHOWN[field]["pattern"], text)


@pytest.mark.parametrize(
    ("field", "text"),
    [("line", "Désirée 🎷"), ("line", ""), ("text", "a\tb\r\nc"), ("name", "  Jazz  "), ("name", "\u202eo")],
)
def test_all_else_is_taken_as_the_document_says(field: str, text: str) -> None:
    assert getattr(Body(**{field: text}), field) in (text, text.strip())
    assert re.search(SHOWN[field]["pattern"], text)


@pytest.mark.parametrize("field", ["line", "text", "name"])
def test_half_a_surrogate_pair_and_what_is_too_long_are_refused(field: str) -> None:
    for text in ("a\ud800", "x" * 21):
        with pytest.raises(ValidationError):
            Body(**{field: text})
    assert SHOWN[field]["maxLength"] == 20
