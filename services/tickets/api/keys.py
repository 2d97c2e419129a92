"""Idempotency-Key: a request that comes again gets the answer it got (draft-ietf-httpapi-idempotency-key)."""

from collections.abc import Callable
from hashlib import sha256
from typing import Annotated, TypeVar

from fastapi import Header
from pydantic import BaseModel
from sqlalchemy import Connection

from services.tickets.errors import KeyReused
from services.tickets.store import keys
from shared.auth import Principal

Answer = TypeVar("Answer", bound=BaseModel)
Key = Annotated[
    str | None,
    Header(max_length=255, description="Makes a repeated request one: it gets the first one's answer."),
]


def once(
    connection: Connection,
    caller: Principal,
    path: str,
    key: str | None,
    body: BaseModel,
    act: Callable[[], Answer],
    shape: type[Answer],
) -> Answer:
    """The answer of `act`, noted in its transaction, or the one noted before; without a key just `act()`."""
    if not key:
        return act()
    request = sha256(body.model_dump_json().encode()).hexdigest()
    known = keys.begin_key(connection, caller.id, path, key, request)
    if known is None:
        answer = act()
        keys.finish_key(connection, caller.id, path, key, answer.model_dump())
        return answer
    if known.request != request:
        raise KeyReused("This Idempotency-Key was used with another request.")
    return shape.model_validate(known.answer)
