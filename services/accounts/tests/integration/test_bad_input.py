"""Bad input to every operation: a 4xx problem that says why, and nothing stored."""

import json
from typing import Any

import pytest
from sqlalchemy import func, select

from services.accounts.tables import groups, users
from services.accounts.tests.integration.conftest import PASSWORD, House

MEGABYTE = "x" * 1_000_000
BAD_TEXTS = ["a\x00b", "a\x1bb", "a\nb", "\ud800", "\udfff!", MEGABYTE]
USER = {"username": "rina", "email": "rina@example.com", "password": PASSWORD}
JSON = {"Content-Type": "application/json"}


def stored(house: House) -> tuple[int, int, int]:
    """How many users, groups and messages there are."""
    with house.engine.connect() as connection:
        counts = [connection.scalar(select(func.count()).select_from(table)) for table in (users, groups)]
    return counts[0] or 0, counts[1] or 0, len(house.published())


def calls(house: House) -> list[tuple[str, str]]:
    """(method, path) of every operation that takes a body."""
    root_id = house.client.get("/api/users/", headers=house.root).json()["users"][0]["id"]
    user, group = f"/api/users/{root_id}/", "/api/groups/1/"
    return [
        ("POST", "/api/login/"), ("POST", "/api/token/"), ("POST", "/api/users/"), ("PUT", user),
        ("PATCH", user), ("POST", "/api/groups/"), ("PUT", group), ("POST", "/api/assign-roles/"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"username": "\xff"}', "application/json", 400),
        (b'{"a": NaN}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"[]", "application/json", 400),
        (b"null", "application/json", 400),
        (b'{"group_id": 1e400, "name": [], "username": {}, "refresh": 7}', "application/json", 400),
        (b"name=x", "application/x-www-form-urlencoded", 415),
        (b"--B\r\nContent-Dis", "multipart/form-data; boundary=B", 415),
        (b"<name/>", "application/xml", 415),
    ],
)
def test_a_body_that_no_call_can_read_is_refused_by_every_call(
    house: House, content: bytes, content_type: str, status: int
) -> None:
    before = stored(house)
    for method, path in calls(house):
        headers = {**house.root, "Content-Type": content_type}
        answer = house.client.request(method, path, content=content, headers=headers)
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/json"), path
        assert answer.json()["detail"]
    assert stored(house) == before


@pytest.mark.parametrize("text", BAD_TEXTS, ids=range(len(BAD_TEXTS)))
@pytest.mark.parametrize("field", ["username", "email", "password", "first_name", "last_name", "locale"])
def test_a_text_that_cannot_be_a_users_is_refused_by_name(house: House, field: str, text: str) -> None:
    if field == "password" and text in ("a\x1bb", "a\nb"):
        text = "short"  # A password may hold what a key can send.
    before, content = stored(house), json.dumps({**USER, field: text})
    root_id = house.client.get("/api/users/", headers=house.root).json()["users"][0]["id"]
    for method, path in (("POST", "/api/users/"), ("PATCH", f"/api/users/{root_id}/")):
        answer = house.client.request(method, path, content=content, headers={**house.root, **JSON})
        assert (answer.status_code, list(answer.json()["errors"])) == (400, [field]), path
        assert len(answer.content) < 2000
    assert stored(house) == before


@pytest.mark.parametrize("text", [*BAD_TEXTS, "", " \t"], ids=range(len(BAD_TEXTS) + 2))
def test_a_text_that_cannot_be_a_groups_name_is_refused(house: House, text: str) -> None:
    group, before = house.make_group("crew"), stored(house)
    for method, path in (("POST", "/api/groups/"), ("PUT", f"/api/groups/{group['id']}/")):
        content = json.dumps({"name": text})
        answer = house.client.request(method, path, content=content, headers={**house.root, **JSON})
        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["name"])
    assert stored(house) == before


@pytest.mark.parametrize("field", ["username", "password"])
@pytest.mark.parametrize("text", ["a\x00b", "\ud800", MEGABYTE, "", "\u202e"])
def test_a_login_with_a_strange_name_or_password_is_400_or_401(house: House, field: str, text: str) -> None:
    body = json.dumps({"username": "root", "password": PASSWORD, field: text})
    assert house.client.post("/api/login/", content=body, headers=JSON).status_code in (400, 401)


@pytest.mark.parametrize("group_id", [0, -1, 2**31, 10**400, True, 1.5, "x", None, [1]])
def test_an_assignment_to_no_group_is_refused(house: House, group_id: Any) -> None:
    body = json.dumps({"user_id": "x", "group_id": group_id})
    answer = house.client.post("/api/assign-roles/", content=body, headers={**house.root, **JSON})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["group_id"])


@pytest.mark.parametrize(
    "query",
    ["page=0", "page=x", "page=" + "9" * 400, "page_size=0", "page_size=101", "page=1.5", "cursor=x",
     "cursor=%00", "cursor=W10", "cursor=WyIyMDMwIiwgMV0", "cursor=" + "x" * 501, "page=%ff"],
)  # fmt: skip
def test_a_page_that_cannot_be_is_refused_by_name(house: House, query: str) -> None:
    for path in ("/api/users/", "/api/groups/"):
        answer = house.client.get(f"{path}?{query}", headers=house.root)
        assert (answer.status_code, list(answer.json()["errors"])) == (400, [query.partition("=")[0]])


def test_a_name_whose_folded_form_no_index_holds_is_refused(house: House) -> None:
    answer = house.client.post("/api/users/", json={**USER, "username": "\ufdfa" * 150})
    assert answer.json()["errors"] == {"username": ["is too long"]}
    answer = house.client.post("/api/groups/", json={"name": "\ufdfa" * 150}, headers=house.root)
    assert answer.json()["errors"] == {"name": ["is too long"]}


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Basic eDp5", "Bearer x", "Bearer a.b.c", "Bearer " + "W1tb" * 900 + ".e30.x", "\xff"],
)
def test_a_bad_authorization_is_401_and_asks_for_a_token(house: House, header: str) -> None:
    answer = house.client.get("/api/users/", headers={"Authorization": header.encode("latin-1")})
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
