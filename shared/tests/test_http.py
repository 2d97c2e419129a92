"""Bad requests, and what the document says of them, as every service answers."""

import json
from typing import Annotated

import pytest
from fastapi import APIRouter, File, UploadFile
from fastapi.testclient import TestClient
from pydantic import BaseModel

from shared.auth import BearerNeeded, BearerTaken
from shared.http import make_api, problems, read_drain
from shared.settings import SettingError

JSON = {"Content-Type": "application/json"}


class Thing(BaseModel):
    name: str
    size: float = 0


@pytest.fixture
def client() -> TestClient:
    app, router = make_api("things", {}), APIRouter(prefix="/things")
    taken: list[Thing] = []

    @router.post("", status_code=201)
    def make(thing: Thing, _: BearerNeeded) -> Thing:
        taken.append(thing)
        return thing

    @router.get("", responses=problems(404, _404="No things."))
    def find(_: BearerTaken, page: int = 1) -> list[Thing]:
        return taken

    @router.post("/upload")
    def upload(image: Annotated[UploadFile, File()]) -> str:
        return str(image.filename)

    @router.delete("/{name}")
    def remove(name: str) -> None:
        raise AssertionError(name)

    app.include_router(router)
    return TestClient(app, raise_server_exceptions=False)


def nested(depth: int) -> str:
    return '{"name": "x", "more": ' + "[" * (depth - 1) + "]" * (depth - 1) + "}"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"name": ', "is no JSON"),
        (b"name=x", "is no JSON"),
        (b'{"name": "x", "size": NaN}', "NaN is no JSON"),
        (b'{"name": "x", "unknown": -Infinity}', "-Infinity is no JSON"),
        ('{"name": "x", "unknown": NaN}'.encode("utf-16"), "NaN is no JSON"),
        (b'{"name": "\xff"}', "error parsing the body"),
        (b'{"name": "x", "size": 1' + b"0" * 5000 + b"}", "error parsing the body"),
        (nested(33).encode(), "deeper than 32"),
        (nested(100_000).encode(), "deeper than 32"),
        (b'"a text"', "body"),
        (b'{"name": 7}', "name"),
        (b"", "required"),
    ],
)
def test_a_body_that_is_no_json_or_not_the_right_one_gets_400_and_a_reason(
    client: TestClient, body: bytes, reason: str
) -> None:
    answer = client.post("/things/", content=body, headers=JSON)
    assert answer.status_code == 400, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    assert reason in answer.json()["detail"]
    assert client.get("/things/").json() == []


def test_a_text_that_only_looks_like_a_constant_and_32_levels_are_taken(client: TestClient) -> None:
    with_text = json.dumps({"name": "NaN [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["})
    for body in (with_text, nested(32)):
        assert client.post("/things", content=body, headers=JSON).status_code == 201


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "image/png"])
def test_a_body_of_another_type_gets_415_that_names_the_right_one(
    client: TestClient, content_type: str
) -> None:
    answer = client.post("/things/", content=b'{"name": "x"}', headers={"Content-Type": content_type})
    assert (answer.status_code, answer.json()["detail"]) == (415, "Send application/json.")


@pytest.mark.parametrize("content_type", [None, "application/json; charset=utf-8", "application/ld+json"])
def test_json_is_taken_under_each_of_its_names_and_under_none(
    client: TestClient, content_type: str | None
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    assert client.post("/things/", content=b'{"name": "x"}', headers=headers).status_code == 201


def test_json_where_a_form_belongs_gets_415_and_a_form_without_its_file_400(client: TestClient) -> None:
    answer = client.post("/things/upload", content=b"{}", headers=JSON)
    assert (answer.status_code, answer.json()["detail"]) == (415, "Send multipart/form-data.")
    assert client.post("/things/upload", files={"other": b"x"}).status_code == 400


def test_a_multipart_body_that_ends_too_early_gets_400(client: TestClient) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    for body in (b"--B\r\nContent-Disposition: form-da", b"no part at all", b""):
        assert client.post("/things/upload", content=body, headers=headers).status_code == 400


def test_a_method_that_a_path_lacks_gets_405_with_all_that_it_has(client: TestClient) -> None:
    answer = client.patch("/things/")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")
    assert set(answer.json()) == {"type", "title", "status", "detail", "errors"}


def test_the_document_names_every_answer_that_can_come(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    things = document["paths"]["/things"]
    assert list(things["post"]["responses"]) == ["201", "400", "401", "413", "415", "429", "503"]
    assert list(things["get"]["responses"]) == ["200", "400", "401", "404", "429", "503"]
    for status, answer in things["get"]["responses"].items():
        if status != "200":
            content = answer["content"]["application/json"]
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
            assert content["example"]["status"] == int(status)
    assert (
        things["get"]["responses"]["404"]["content"]["application/json"]["example"]["detail"] == "No things."
    )
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_the_document_tells_calls_that_need_a_token_from_those_that_take_one(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert document["paths"]["/things"]["post"]["security"] == [{"bearer": []}]
    assert document["paths"]["/things"]["get"]["security"] == [{}, {"bearer": []}]
    assert list(document["components"]["securitySchemes"]) == ["bearer"]


def test_a_process_that_drains_answers_everything_but_keeps_no_connection_and_says_so() -> None:
    app = make_api("x", {})
    app.get("/thing")(lambda: "still here")
    client = TestClient(app)
    assert "connection" not in client.get("/thing").headers
    app.state.draining = True
    answer = client.get("/thing")
    assert (answer.status_code, answer.json(), answer.headers["connection"]) == (200, "still here", "close")
    live = client.get("/health/live")
    assert (live.status_code, live.json()) == (503, {"status": "draining"})
    assert client.get("/health").status_code == 200


def test_a_process_drains_for_five_seconds_unless_it_is_told_otherwise() -> None:
    assert [read_drain({}), read_drain({"DRAIN_SECONDS": "0"})] == [5, 0]
    with pytest.raises(SettingError, match="DRAIN_SECONDS"):
        read_drain({"DRAIN_SECONDS": "soon"})
