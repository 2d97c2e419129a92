"""What the fields of bodies here have to be."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field

from services.tickets import model
from shared.http.fields import Line, Name, Shown, no_boolean

_MONEY = r"^[0-9]{1,10}(\.[0-9]{1,2})?$"
_TIME = (
    r"^ *$|^ *[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
    r" ?([Zz]|[+-][0-9]{2}:[0-9]{2})? *$"
)


def _uuid(text: str) -> str:
    # Also keeps everything but an id out of the path of a call to its owner.
    try:
        return str(UUID(text))
    except ValueError:
        raise ValueError("is not a UUID") from None


def _money(value: Any) -> Any:
    no_boolean(value)
    if isinstance(value, str) and not re.fullmatch(_MONEY, value, re.ASCII):
        raise ValueError("is not an amount like 150000 or 99.50")
    return value


def _one_of(statuses: Sequence[str]) -> Any:
    def read(text: str) -> str:
        status = text.strip().lower()
        if status not in statuses:
            raise ValueError(f"is not one of {', '.join(statuses)}")
        return status

    any_case = ("".join(f"[{c.upper()}{c}]" if c.isalpha() else c for c in status) for status in statuses)
    shown = Shown({"pattern": rf"^ *({'|'.join(any_case)}) *$", "examples": list(statuses)})
    return Annotated[Line, Field(max_length=30), AfterValidator(read), shown]


Id = Annotated[
    str,
    AfterValidator(_uuid),
    Shown({"format": "uuid", "examples": ["0198c6f0-0000-7000-8000-000000000000"]}),
]
Title = Annotated[Name, Field(max_length=200)]
Time = Annotated[Line, Field(max_length=64), Shown({"pattern": _TIME, "examples": ["2030-12-31 19:00"]})]
Money = Annotated[
    Decimal,
    Field(ge=0, max_digits=12, decimal_places=2, allow_inf_nan=False),
    BeforeValidator(_money),
    Shown(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": 9_999_999_999.99},
                {"type": "string", "pattern": _MONEY},
            ],
            "description": "At most two decimal places.",
            "examples": [150000, 99.5],
        }
    ),
]
Quota = Annotated[int, Field(ge=0, le=2**31 - 1, examples=[100]), BeforeValidator(no_boolean)]
OrderStatus = _one_of(model.STATUSES)
PaymentStatus = _one_of(model.PAYMENT_STATUSES)
Code = Annotated[
    str,
    Field(max_length=100, description="As scanned or typed: letter case, spaces and hyphens do not matter."),
    Shown({"examples": ["K7WQ2M9XPA", "k7wq2-m9xpa"]}),
]
