"""The proof of a document is one: it finds an app that does not keep to its own."""

from collections import Counter
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.http import Conflict, Invalid, make_api
from shared.testing.openapi import findings

HEADERS = {"Authorization": "Bearer token"}


class Thing(BaseModel):
    size: Annotated[int, Field(strict=True)]


def test_an_undocumented_status_and_a_refused_valid_body_are_found() -> None:
    app, router = make_api("liar", {}), APIRouter()

    @router.post("/conflict")
    def conflict(thing: Thing) -> None:
        raise Conflict("not said in the document")

    @router.post("/picky")
    def picky(thing: Thing) -> None:
        raise Invalid.field("size", "is not to our taste")

    app.include_router(router)
    found = "\n".join(findings(app, HEADERS, examples=5))
    assert "POST /conflict: Undocumented status code: Received: 409" in found
    assert "POST /picky: Schema-valid request rejected" in found


def test_an_app_that_keeps_to_its_document_passes_with_50_examples_of_each_call() -> None:
    app, router, calls = make_api("honest", {}), APIRouter(), Counter[str]()

    @router.post("/things", status_code=201)
    def make(thing: Thing) -> Thing:
        return thing

    class Counted:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                calls[scope["method"] + scope["path"]] += 1
            await self.app(scope, receive, send)

    app.include_router(router)
    app.add_middleware(Counted)
    assert findings(app, HEADERS) == []
    assert calls["POST/things"] > 50
