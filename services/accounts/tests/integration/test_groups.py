"""Groups and the roles they give."""

from base64 import urlsafe_b64decode
from json import loads

import pytest

from services.accounts.tests.integration.conftest import House


def roles(headers: dict[str, str]) -> list[str]:
    """What an access token says of its owner."""
    payload = headers["Authorization"].split(".")[1]
    return loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["roles"]


def test_a_group_has_a_positive_integer_id_and_can_be_read_renamed_and_deleted(house: House) -> None:
    group = house.make_group("Organizer")
    assert type(group["id"]) is int
    assert group["id"] > 0
    url = f"/api/groups/{group['id']}/"
    assert house.client.get(url, headers=house.root).json() == group
    renamed = house.client.put(url, json={"name": "crew"}, headers=house.root)
    assert (renamed.status_code, renamed.json()) == (200, {"id": group["id"], "name": "crew"})
    assert house.client.delete(url, headers=house.root).status_code == 204
    for call in (house.client.get, house.client.delete):
        assert call(url, headers=house.root).status_code == 404


def test_a_name_in_another_letter_case_is_taken(house: House) -> None:
    house.make_group("Admin")
    other = house.make_group("crew")
    for name in ("ADMIN", " admin "):
        made = house.client.post("/api/groups/", json={"name": name}, headers=house.root)
        renamed = house.client.put(f"/api/groups/{other['id']}/", json={"name": name}, headers=house.root)
        assert made.json()["errors"] == renamed.json()["errors"] == {"name": ["is taken"]}
        assert (made.status_code, renamed.status_code) == (400, 400)


@pytest.mark.parametrize(("name", "role"), [("admin", ["admin"]), ("ORGANIZER", ["organizer"]), ("vip", [])])
def test_the_name_in_any_letter_case_is_the_role(house: House, name: str, role: list[str]) -> None:
    assert roles(house.with_role("rina", name)) == role


def test_deleting_and_making_again_works_and_members_lose_the_role(house: House) -> None:
    house.with_role("rina", "admin")
    group = house.client.get("/api/groups/", headers=house.root).json()["groups"][0]
    house.client.delete(f"/api/groups/{group['id']}/", headers=house.root)
    assert house.make_group("admin")["id"] != group["id"]
    assert roles(house.sign_in("rina")) == []


def test_admins_get_403_everywhere_and_nobody_gets_401(house: House) -> None:
    admin, group = house.with_role("siti", "admin"), {"name": "vip"}
    for method, path, body in (
        ("GET", "/api/groups/", None), ("POST", "/api/groups/", group), ("GET", "/api/groups/1/", None),
        ("PUT", "/api/groups/1/", group), ("DELETE", "/api/groups/1/", None),
        ("POST", "/api/assign-roles/", {"user_id": "x", "group_id": 1}),
    ):  # fmt: skip
        assert house.client.request(method, path, json=body, headers=admin).status_code == 403, path
        assert house.client.request(method, path, json=body).status_code == 401, path


def test_assigning_answers_both_ids_and_again_is_the_same(house: House) -> None:
    user, group = house.register("rina"), house.make_group("admin")
    body = {"user_id": user["id"], "group_id": group["id"]}
    for _ in range(2):
        answer = house.client.post("/api/assign-roles/", json=body, headers=house.root)
        assert (answer.status_code, answer.json()) == (201, body)
    for change in ({"user_id": "nobody"}, {"group_id": 2**31 - 1}):
        wrong = house.client.post("/api/assign-roles/", json={**body, **change}, headers=house.root)
        assert wrong.status_code == 404


def test_a_list_of_groups_is_paged_by_number_and_by_cursor(house: House) -> None:
    names = [house.make_group(f"group {number}")["name"] for number in range(5)]
    first = house.client.get("/api/groups/?page_size=2", headers=house.root).json()
    assert [group["name"] for group in first["groups"]] == names[:2]
    assert (first["pagination"]["pages"], first["pagination"]["total"]) == (3, 5)
    cursor = first["pagination"]["next_cursor"]
    rest = house.client.get(f"/api/groups/?page_size=9&cursor={cursor}", headers=house.root).json()
    assert ([group["name"] for group in rest["groups"]], rest["pagination"]) == (names[2:], {"page_size": 9})


@pytest.mark.parametrize("group_id", ["0", "-1", "x", "1.0", "²", "2147483648", "9" * 400, "%00"])
def test_an_id_that_no_group_has_is_404(house: House, group_id: str) -> None:
    assert house.client.get(f"/api/groups/{group_id}/", headers=house.root).status_code == 404
