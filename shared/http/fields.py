"""What a text or a number in a request has to be before anything else is asked of it."""

import unicodedata
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, GetJsonSchemaHandler
from pydantic_core import CoreSchema


# Compared by identity: `Prose | None` hashes what annotates a type, and a dictionary has no hash.
@dataclass(frozen=True, eq=False)
class Shown:
    """What the OpenAPI document says of a field beyond what its type does: each rule that a validator has
    and a JSON schema can say.
    """

    rules: dict[str, Any]

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), **self.rules}


def storable(text: str) -> str:
    """PostgreSQL's text cannot hold U+0000, and UTF-8 no half of a surrogate pair."""
    if any(letter == "\x00" or "\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError("contains U+0000 or half of a surrogate pair")
    return text


def one_line(text: str) -> str:
    """Storable, and without control characters."""
    return _without_controls(text, "")


def prose(text: str) -> str:
    """Storable, and without control characters other than those that part lines and columns."""
    return _without_controls(text, "\n\r\t")


def _without_controls(text: str, but: str) -> str:
    for letter in storable(text):
        if unicodedata.category(letter) == "Cc" and letter not in but:
            raise ValueError(f"contains the control character U+{ord(letter):04X}")
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


# Give each a length: Annotated[Name, Field(max_length=150)].
_LINE = r"[^\x00-\x1f\x7f-\x9f]*"
_PROSE = r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*"
Line = Annotated[str, AfterValidator(one_line), Shown({"pattern": f"^{_LINE}$"})]
Prose = Annotated[str, AfterValidator(prose), Shown({"pattern": f"^{_PROSE}$"})]
Name = Annotated[
    str,
    AfterValidator(one_line),
    AfterValidator(named),
    Shown({"minLength": 1, "pattern": rf"^{_LINE}[^\s\x00-\x1f\x7f-\x9f]{_LINE}$"}),
]
