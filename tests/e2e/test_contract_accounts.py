"""The contract's rows on accounts, through the gateway."""

import uuid

import pytest

from tests.e2e.client import PASSWORD, RunningSystem, must
from tests.e2e.people import People

pytestmark = pytest.mark.e2e


def new_name() -> str:
    return f"c{uuid.uuid4().hex[:12]}"


def new_user(**fields: object) -> dict[str, object]:
    name = new_name()
    return {"username": name, "password": PASSWORD, "email": f"{name}@dicoevent.example", **fields}


def test_login_gives_both_tokens_and_a_wrong_password_none(people: People) -> None:
    user = new_user()
    anyone = people.anyone.client
    must(anyone.post("/api/users/", json=user), 201)
    login = {"username": user["username"], "password": PASSWORD}
    assert set(must(anyone.post("/api/login/", json=login), 200)) >= {"access", "refresh"}
    refused = anyone.post("/api/login/", json={**login, "password": "wrong"})
    assert (refused.status_code, refused.json()["status"]) == (401, 401)


def test_a_refresh_token_is_good_once_and_its_reuse_ends_the_family(people: People) -> None:
    user, anyone = new_user(), people.anyone.client
    must(anyone.post("/api/users/", json=user), 201)
    login = {"username": user["username"], "password": PASSWORD}
    first = must(anyone.post("/api/login/", json=login), 200)["refresh"]
    second = must(anyone.post("/api/token/", json={"refresh": first}), 200)
    assert second["refresh"] != first
    assert anyone.post("/api/token/", json={"refresh": first}).status_code == 401
    assert anyone.post("/api/token/", json={"refresh": second["refresh"]}).status_code == 401


def test_anyone_can_become_a_user(people: People) -> None:
    user = new_user(first_name="Siti", last_name="Aminah", locale="id")
    made = must(people.anyone.client.post("/api/users/", json=user), 201)
    assert set(made) >= {"id", "username", "email", "first_name", "last_name"}
    assert (made["first_name"], made["last_name"]) == ("Siti", "Aminah")
    assert "password" not in made


@pytest.mark.parametrize("taken", ["username", "email"])
def test_a_taken_name_or_address_is_400_whatever_its_letter_case(people: People, taken: str) -> None:
    user, anyone = new_user(), people.anyone.client
    must(anyone.post("/api/users/", json=user), 201)
    again = new_user(**{taken: str(user[taken]).upper()})
    assert taken in must(anyone.post("/api/users/", json=again), 400)["errors"]


@pytest.mark.parametrize(("password", "status"), [("password", 400), ("123456", 400), (PASSWORD, 201)])
def test_common_passwords_are_refused_and_those_clients_use_are_taken(
    people: People, password: str, status: int
) -> None:
    must(people.anyone.client.post("/api/users/", json=new_user(password=password)), status)


@pytest.mark.parametrize(
    ("who", "status"), [("admin", 200), ("root", 200), ("organizer", 403), ("user", 403), ("anyone", 401)]
)
def test_users_are_listed_for_admins_only(people: People, who: str, status: int) -> None:
    body = must(getattr(people, who).client.get("/api/users/?page_size=2"), status)
    if status == 200:
        assert len(body["users"]) == 2
        assert set(body["pagination"]) >= {"page", "page_size", "pages", "total"}


@pytest.mark.parametrize(
    ("who", "status"), [("user", 200), ("admin", 200), ("root", 200), ("stranger", 403), ("anyone", 401)]
)
def test_a_user_is_read_and_changed_by_himself_and_admins(people: People, who: str, status: int) -> None:
    path, client = f"/api/users/{people.user.id}/", getattr(people, who).client
    body = must(client.get(path), status)
    if status == 200:
        assert isinstance(body["first_name"], str)
        assert isinstance(body["last_name"], str)
        assert body["id"] == people.user.id
    for method in ("PUT", "PATCH"):
        changed = must(client.request(method, path, json={"last_name": method, "no_such_field": 1}), status)
        if status == 200:
            assert changed["last_name"] == method


def test_a_deleted_user_is_gone(people: People) -> None:
    path = f"/api/users/{must(people.anyone.client.post('/api/users/', json=new_user()), 201)['id']}/"
    assert people.user.client.delete(path).status_code == 403
    assert people.organizer.client.delete(path).status_code == 403
    must(people.admin.client.delete(path), 204)
    assert people.admin.client.get(path).status_code == 404
    assert people.admin.client.delete(path).status_code == 404


def test_groups_have_whole_numbers_and_are_for_superusers(people: People) -> None:
    root, name = people.root.client, new_name()
    made = must(root.post("/api/groups/", json={"name": name}), 201)
    assert type(made["id"]) is int
    assert made["id"] > 0
    path = f"/api/groups/{made['id']}/"
    assert must(root.get(path), 200)["name"] == name
    assert must(root.put(path, json={"name": f"{name}x"}), 200)["name"] == f"{name}x"
    assert must(root.patch(path, json={"name": f"{name}x"}), 200)["name"] == f"{name}x"
    assert isinstance(must(root.get("/api/groups/"), 200)["groups"], list)
    for who in (people.admin, people.organizer, people.user):
        for call in (("GET", "/api/groups/"), ("GET", path), ("PUT", path), ("DELETE", path)):
            assert who.client.request(*call, json={"name": "x"}).status_code == 403
        assert who.client.post("/api/groups/", json={"name": new_name()}).status_code == 403
    must(root.delete(path), 204)
    assert root.get(path).status_code == 404
    must(root.post("/api/groups/", json={"name": f"{name}x"}), 201)


def test_only_superusers_give_roles(people: People) -> None:
    root = people.root.client
    group = must(root.post("/api/groups/", json={"name": new_name()}), 201)["id"]
    body = {"user_id": people.stranger.id, "group_id": group}
    for who in (people.admin, people.organizer, people.user):
        assert who.client.post("/api/assign-roles/", json=body).status_code == 403
    assert people.anyone.client.post("/api/assign-roles/", json=body).status_code == 401
    assert must(root.post("/api/assign-roles/", json=body), 201) | body == must(
        root.post("/api/assign-roles/", json=body), 201
    )


def test_a_groups_name_in_any_letter_case_is_the_role(system: RunningSystem, people: People) -> None:
    groups = must(people.root.client.get("/api/groups/?page_size=100"), 200)["groups"]
    organizers = next(group for group in groups if group["name"].lower() == "organizer")
    user = new_user()
    user_id = must(people.anyone.client.post("/api/users/", json=user), 201)["id"]
    body = {"user_id": user_id, "group_id": organizers["id"]}
    must(people.root.client.post("/api/assign-roles/", json=body), 201)
    with system.as_user(str(user["username"])) as client:
        assert client.post("/api/events/", json={}).status_code == 400, "may, but said nothing"
    assert people.user.client.post("/api/events/", json={}).status_code in (400, 403)
