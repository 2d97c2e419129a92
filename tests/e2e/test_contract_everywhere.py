"""What the contract says of every call, through the gateway."""

import json
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate

from tests.e2e.client import RunningSystem, must
from tests.e2e.people import People

pytestmark = pytest.mark.e2e

LISTS = ["users", "groups", "events", "tickets", "registrations", "payments"]
PROBLEM = {"type", "title", "status", "detail", "errors"}


@pytest.mark.parametrize("name", LISTS)
def test_every_path_answers_with_and_without_its_slash_and_no_redirect(people: People, name: str) -> None:
    root = people.root.client
    with_slash, without = root.get(f"/api/{name}/"), root.get(f"/api/{name}")
    assert (with_slash.status_code, without.status_code) == (200, 200)
    assert set(with_slash.json()) >= {name, "pagination"}
    assert with_slash.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("name", LISTS)
def test_pages_beyond_the_end_are_the_last_and_wrong_ones_400(people: People, name: str) -> None:
    root = people.root.client
    first = must(root.get(f"/api/{name}/?page_size=1"), 200)["pagination"]
    past = must(root.get(f"/api/{name}/?page_size=1&page=100000"), 200)["pagination"]
    assert past["page"] == past["pages"] >= first["pages"]
    for wrong in ("page=0", "page=x", "page_size=0", "page_size=-1", "cursor=%00"):
        answer = root.get(f"/api/{name}/?{wrong}")
        assert (answer.status_code, set(answer.json())) == (400, PROBLEM), wrong


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/nowhere/", 404),
        ("GET", "/nowhere", 404),
        ("PATCH", "/api/login/", 405),
        ("DELETE", "/api/events/", 405),
        ("POST", "/health", 405),
        ("POST", "/docs", 405),
        ("GET", "/api/users/", 401),
        ("GET", "/api/events/01930000-0000-7000-8000-000000000000/", 404),
        ("GET", "/api/events/no-uuid/", 404),
    ],
)
def test_every_refusal_is_a_problem_that_older_clients_can_read(
    people: People, method: str, path: str, status: int
) -> None:
    answer = people.anyone.client.request(method, path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/json")
    assert set(answer.json()) == PROBLEM
    assert answer.json()["status"] == status
    assert isinstance(answer.json()["errors"], dict)


def test_a_token_that_is_none_is_401(people: People) -> None:
    for token in ("Bearer x", "Bearer", "Basic eDp5", "Bearer " + "a.b.c" * 100):
        answer = people.anyone.client.get("/api/registrations/", headers={"Authorization": token})
        assert answer.status_code == 401, token


BAD_BODIES: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"{", "application/json"),
    "nothing": (b"", "application/json"),
    "a list": (b"[]", "application/json"),
    "NaN": (b'{"quota": NaN, "name": "x"}', "application/json"),
    "U+0000": (b'{"name": "a\\u0000b", "username": "a\\u0000b"}', "application/json"),
    "half of a surrogate pair": (b'{"name": "\\ud800", "username": "\\ud800"}', "application/json"),
    "no UTF-8": (b'{"name": "\xff"}', "application/json"),
    "deep nesting": (b"[" * 50_000 + b"]" * 50_000, "application/json"),
    "a huge number": (b'{"quota": 1' + b"0" * 5000 + b"}", "application/json"),
    "a huge name": (b'{"name": "' + b"x" * 900_000 + b'"}', "application/json"),
    "a form": (b"name=x", "application/x-www-form-urlencoded"),
    "a truncated form": (b"--x\r\nContent-Disposition: form-data", "multipart/form-data; boundary=x"),
}


@pytest.mark.parametrize(
    "path", ["login", "users", "groups", "events", "tickets", "registrations", "payments"]
)
@pytest.mark.parametrize("name", BAD_BODIES)
def test_bad_input_is_a_clear_4xx(people: People, path: str, name: str) -> None:
    body, content_type = BAD_BODIES[name]
    answer = people.root.client.post(f"/api/{path}/", content=body, headers={"Content-Type": content_type})
    assert answer.status_code in (400, 401, 415), answer.text[:300]
    assert set(answer.json()) == PROBLEM
    assert answer.json()["detail"]


def test_a_body_over_the_limit_is_413(people: People) -> None:
    answer = people.admin.client.post("/api/events/", content=b'"' + b"x" * 2**20 + b'"')
    assert (answer.status_code, answer.json()["status"]) == (413, 413)


def test_a_request_id_is_kept_or_made(people: People) -> None:
    for path in ("/api/events/", "/health", "/nowhere"):
        given = people.anyone.client.get(path, headers={"X-Request-ID": "run-7"})
        assert given.headers.get_list("X-Request-ID") == ["run-7"]
        assert len(people.anyone.client.get(path).headers["X-Request-ID"]) == 36


def test_the_gateways_health_covers_all_services(people: People) -> None:
    health = must(people.anyone.client.get("/health"), 200)
    assert set(health["checks"]) == {"accounts", "events", "tickets", "notifications"}
    for check in health["checks"].values():
        assert set(check) == {"status", "latency_ms"}
    must(people.anyone.client.get("/health/live"), 200)


def test_every_service_has_its_health_and_the_gateway_routes_no_metrics(
    system: RunningSystem, people: People
) -> None:
    for service in ("ACCOUNTS", "EVENTS", "TICKETS", "NOTIFICATIONS"):
        health = must(httpx.get(f"{system.env[f'{service}_URL']}/health", timeout=20), 200)
        assert set(health) == {"status", "checks"}
        must(httpx.get(f"{system.env[f'{service}_URL']}/health/live", timeout=20), 200)
    for path in ("/metrics", "/internal/feed", "/.well-known/jwks.json"):
        assert people.anyone.client.get(path).status_code == 404


def test_the_merged_document_is_valid_and_names_every_call_of_the_contract(people: People) -> None:
    document = must(people.anyone.client.get("/openapi.json"), 200)
    validate(document)
    told = {
        f"{method.upper()} {path.rstrip('/')}"
        for path, item in document["paths"].items()
        for method in item
        if method in ("get", "post", "put", "patch", "delete")
    }
    wanted = (
        "POST /api/login", "POST /api/token", "POST /api/users", "GET /api/users",
        "POST /api/groups", "GET /api/groups",
        "POST /api/assign-roles", "POST /api/events", "GET /api/events", "POST /api/events/upload",
        "POST /api/events/send-reminders", "POST /api/tickets", "GET /api/tickets", "POST /api/registrations",
        "GET /api/registrations", "POST /api/payments", "GET /api/payments",
        "GET /api/notifications/dead-letters",
    )  # fmt: skip
    assert not [call for call in wanted if call not in told]
    for one in (
        "/api/users/",
        "/api/groups/",
        "/api/events/",
        "/api/tickets/",
        "/api/registrations/",
        "/api/payments/",
    ):
        for method in ("GET", "PUT", "DELETE"):
            assert any(call.startswith(f"{method} {one}{{") for call in told), f"{method} {one}ID"
    assert "/internal" not in json.dumps(list(document["paths"]))


def test_the_page_shows_every_operation_of_the_document(people: People) -> None:
    document: dict[str, Any] = must(people.anyone.client.get("/openapi.json"), 200)
    page = people.anyone.client.get("/docs")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "<script" not in page.text
    assert "src=" not in page.text
    for path in document["paths"]:
        assert f"<code>{path}</code>" in page.text
