"""Dead letters over HTTP: seen, and replayed once their cause is gone."""

import json
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Engine

from shared.auth import Principal
from shared.http.errors import NotFound
from shared.http.openapi import problems
from shared.http.pages import page_of
from shared.inbox import store
from shared.inbox.receiver import Receiver


def dead_letter_router(
    engine: Engine, receiver: Receiver, prefix: str, superuser: Callable[..., Principal]
) -> APIRouter:
    """`GET {prefix}/dead-letters` and `POST {prefix}/dead-letters/{id}/replay` for superusers."""
    router = APIRouter(
        prefix=f"{prefix}/dead-letters", dependencies=[Depends(superuser)], responses=problems(403)
    )

    @router.get("")
    def list_dead_letters(
        page: int = Query(1, ge=1, le=10**6), page_size: int = Query(20, ge=1, le=100)
    ) -> dict[str, Any]:
        """Messages that could not be taken, newest first, each with its reason."""
        with engine.connect() as connection:
            rows, total = store.list_dead_letters(connection, page, page_size)
        letters = [
            {"id": r.id, "reason": r.reason, "body": r.body, "seen": r.seen, "received_at": r.received_at}
            for r in rows
        ]
        return {"dead_letters": letters, "pagination": page_of(page, page_size, total).model_dump()}

    @router.post(
        "/{letter_id}/replay", status_code=202, responses=problems(404, _404="There is no such dead letter.")
    )
    def replay(letter_id: str) -> dict[str, str]:
        """Takes the message again; if it is still bad it comes back with its new reason."""
        with engine.begin() as connection:
            body = store.take_dead_letter(connection, letter_id)
        if body is None:
            raise NotFound("There is no such dead letter.")
        try:
            document: object = json.loads(body)
        except ValueError as error:
            receiver.bury(body, f"not JSON: {error}")
        else:
            receiver.receive(document)
        return {"id": letter_id}

    return router
