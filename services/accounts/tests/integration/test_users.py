"""Users, as clients meet them: themselves and as administrators."""

from typing import Any

import pytest

from services.accounts.tests.integration.conftest import PASSWORD, House


def test_a_new_user_is_answered_with_strings_for_the_names_he_did_not_give(house: House) -> None:
    user = house.register("rina")
    assert {key: user[key] for key in ("username", "email", "first_name", "last_name")} == {
        "username": "rina", "email": "rina@example.com", "first_name": "", "last_name": "",
    }  # fmt: skip
    assert isinstance(user["id"], str)
    assert "password" not in user


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("username", {"username": "RINA"}),
        ("username", {"username": " Rina "}),
        ("username", {"username": "\uff52\uff49\uff4e\uff41"}),
        ("email", {"email": "Rina@EXAMPLE.com"}),
    ],
)
def test_names_and_addresses_are_unique_in_any_letter_case(
    house: House, field: str, other: dict[str, str]
) -> None:
    house.register("rina")
    body = {"username": "dewi", "email": "dewi@example.com", "password": PASSWORD, **other}
    answer = house.client.post("/api/users/", json=body)
    assert (answer.status_code, answer.json()["errors"]) == (400, {field: ["is taken"]})


def test_that_holds_in_other_scripts_and_for_changes_too(house: House) -> None:
    house.register("straße", email="désirée@example.com")
    dewi = house.register("dewi")
    body = {"username": "x", "email": "x@example.com", "password": PASSWORD}
    for change in ({"username": "STRASSE"}, {"email": "DÉSIRÉE@example.com"}):
        made = house.client.post("/api/users/", json={**body, **change})
        changed = house.client.patch(f"/api/users/{dewi['id']}/", json=change, headers=house.root)
        assert (made.status_code, changed.status_code) == (400, 400), change
    assert house.login("Straße").status_code == 200
    assert house.login("STRASSE").status_code == 200


@pytest.mark.parametrize("password", ["password", "PASSWORD123", "12345678", "qwertyuiop", "1234567"])
def test_a_common_or_short_password_is_refused(house: House, password: str) -> None:
    body = {"username": "rina", "email": "rina@example.com", "password": password}
    answer = house.client.post("/api/users/", json=body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["password"])


@pytest.mark.parametrize("method", ["put", "patch"])
@pytest.mark.parametrize("who", ["rina", "admin", "root"])
def test_put_and_patch_change_any_subset_for_himself_and_admins(house: House, method: str, who: str) -> None:
    rina = house.register("rina")
    headers = {
        "rina": lambda: house.sign_in("rina"),
        "admin": lambda: house.with_role("siti", "Admin"),
        "root": lambda: house.root,
    }[who]()
    body = {"first_name": "Rina", "last_name": None, "is_superuser": True, "id": "x", "unknown": [1]}
    url = f"/api/users/{rina['id']}/"
    answer = getattr(house.client, method)(url, json=body, headers=headers)
    assert answer.json() == {**rina, "first_name": "Rina"}
    assert house.client.get(url, headers=headers).json() == {**rina, "first_name": "Rina"}
    told = house.published()[-1]
    assert (told["type"], told["sequence"], told["data"]["name"]) == ("user.updated", 2, "Rina")


def test_a_change_of_nothing_tells_nobody(house: House) -> None:
    rina = house.register("rina")
    before = len(house.published())
    assert house.client.put(f"/api/users/{rina['id']}/", json=rina, headers=house.root).status_code == 200
    assert len(house.published()) == before


def test_others_get_403_nobody_401_and_an_unknown_id_404(house: House) -> None:
    rina, dewi = house.register("rina"), house.register("dewi")
    headers, url = house.sign_in("dewi"), f"/api/users/{rina['id']}/"
    for call in ("get", "put", "patch", "delete"):
        more: dict[str, Any] = {"json": {}} if call in ("put", "patch") else {}
        request = getattr(house.client, call)
        assert request(url, headers=headers, **more).status_code == 403
        assert request(url, **more).status_code == 401
        for unknown in ("0190f5a4-7c1e-7b3a-9d2e-3f4a5b6c7d8e", "7", "%00", "x" * 5000):
            assert request(f"/api/users/{unknown}/", headers=house.root, **more).status_code == 404
    assert house.client.delete(f"/api/users/{dewi['id']}/", headers=headers).status_code == 403
    assert house.client.get("/api/users/", headers=headers).status_code == 403


def test_admins_neither_change_nor_delete_superusers(house: House) -> None:
    admin = house.with_role("siti", "admin")
    users = house.client.get("/api/users/", headers=admin).json()["users"]
    url = f"/api/users/{users[0]['id']}/"
    assert users[0]["username"] == "root"
    assert house.client.patch(url, json={"password": PASSWORD}, headers=admin).status_code == 403
    assert house.client.delete(url, headers=admin).status_code == 403


def test_pages_by_number_and_by_cursor_show_every_user_once(house: House) -> None:
    for number in range(6):
        house.register(f"user{number}")
    names = ["root", *(f"user{number}" for number in range(6))]

    def walk(start: str) -> list[str]:
        seen, query = [], start
        while query:
            page = house.client.get(f"/api/users/?page_size=3&{query}", headers=house.root).json()
            seen += [user["username"] for user in page["users"]]
            cursor = page["pagination"].get("next_cursor")
            query = f"cursor={cursor}" if cursor else ""
        return seen

    assert walk("page=1") == walk("cursor=") == names
    page = house.client.get("/api/users/?page_size=3&page=9", headers=house.root).json()
    assert page["pagination"] == {"page": 3, "page_size": 3, "pages": 3, "total": 7}
    assert [user["username"] for user in page["users"]] == ["user5"]


def test_a_deleted_user_is_gone_from_here_and_from_all_messages_about_him(house: House) -> None:
    rina = house.register("rina", first_name="Rina")
    url, headers = f"/api/users/{rina['id']}/", house.sign_in("rina")
    house.client.patch(url, json={"last_name": "Wulandari"}, headers=headers)
    refresh = house.login("rina").json()["refresh"]
    assert house.client.delete(url, headers=house.root).status_code == 204
    for call in (house.client.get, house.client.delete):
        assert call(url, headers=house.root).status_code == 404
    told = [envelope for envelope in house.published() if envelope["subject"] == rina["id"]]
    assert [envelope["type"] for envelope in told] == ["user.registered", "user.updated", "user.deleted"]
    assert told[-1]["data"] == {"id": rina["id"]}
    assert not any(word in str(told) for word in ("rina", "Rina", "Wulandari"))
    # His tokens are good for nothing here, though nobody called them back.
    assert house.client.get(url, headers=headers).status_code == 401
    assert house.client.post("/api/token/", json={"refresh": refresh}).status_code == 401
    assert house.login("rina").status_code == 401
    assert house.register("rina")["id"] != rina["id"]
