"""Logins, refresh tokens, and how often a login may fail."""

import hashlib
from base64 import b64encode
from collections.abc import Callable

import pytest
import redis
from argon2 import PasswordHasher
from sqlalchemy import update

from services.accounts.errors import TooManyAttempts
from services.accounts.tables import users
from services.accounts.tests.integration.conftest import PASSWORD, House
from services.accounts.throttle import LoginThrottle, redis_storage


def django_pbkdf2(password: str) -> str:
    key = hashlib.pbkdf2_hmac("sha256", password.encode(), b"saltsalt", 1000)
    return f"pbkdf2_sha256$1000$saltsalt${b64encode(key).decode()}"


def django_argon2(password: str) -> str:
    return "argon2" + PasswordHasher(time_cost=1, memory_cost=64, parallelism=2).hash(password)


def test_a_refresh_token_is_good_once_and_its_reuse_ends_the_whole_family(house: House) -> None:
    first = house.login("root").json()["refresh"]
    other = house.login("root").json()["refresh"]

    def refresh(token: str) -> tuple[int, str]:
        answer = house.client.post("/api/token/", json={"refresh": token})
        return answer.status_code, answer.json().get("refresh", "")

    status, second = refresh(first)
    assert status == 200
    assert house.client.get("/api/users/", headers=house.root).status_code == 200
    status, third = refresh(second)
    assert status == 200
    assert refresh(first)[0] == 401
    assert refresh(third)[0] == 401
    assert refresh(other)[0] == 200


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "e" * 4000, "W1tb" * 1000 + ".e30.x", "\ud800", "\x00"])
def test_what_is_no_refresh_token_is_401_or_400(house: House, token: str) -> None:
    body = '{"refresh": "%s"}' % "".join(f"\\u{ord(c):04x}" for c in token)  # noqa: UP031 - braces
    headers = {"Content-Type": "application/json"}
    assert house.client.post("/api/token/", content=body, headers=headers).status_code in (400, 401)
    bearer = {"Authorization": f"Bearer {token.encode('utf-8', 'replace').decode()}".encode("latin-1")}
    assert house.client.get("/api/users/", headers=bearer).status_code == 401


def test_an_access_token_does_not_refresh_and_a_refresh_token_does_not_call(house: House) -> None:
    tokens = house.login("root").json()
    assert house.client.post("/api/token/", json={"refresh": tokens["access"]}).status_code == 401
    headers = {"Authorization": f"Bearer {tokens['refresh']}"}
    assert house.client.get("/api/users/", headers=headers).status_code == 401


def test_a_new_password_ends_every_session(house: House) -> None:
    rina = house.register("rina")
    refresh = house.login("rina").json()["refresh"]
    change = {"password": "another good one"}
    house.client.patch(f"/api/users/{rina['id']}/", json=change, headers=house.sign_in("rina"))
    assert house.client.post("/api/token/", json={"refresh": refresh}).status_code == 401
    assert (house.login("rina").status_code, house.login("rina", "another good one").status_code) == (
        401,
        200,
    )


@pytest.mark.parametrize("make_hash", [django_pbkdf2, django_argon2])
def test_a_hash_that_django_made_is_good_for_one_login_and_then_made_anew(
    house: House, make_hash: Callable[[str], str]
) -> None:
    rina = house.register("rina")

    def stored(change: str | None = None) -> str:
        with house.engine.begin() as connection:
            if change:
                connection.execute(update(users).values(password_hash=change).where(users.c.id == rina["id"]))
            query = users.select().where(users.c.id == rina["id"])
            return str(connection.execute(query).one().password_hash)

    old = stored(make_hash("old password"))
    assert house.login("rina", "wrong password").status_code == 401
    assert stored() == old
    assert house.login("rina", "old password").status_code == 200
    assert stored().startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert house.login("rina", "old password").status_code == 200


def test_failures_for_a_name_are_limited_in_any_letter_case_with_a_time_to_wait(house: House) -> None:
    for name in ("rina", "RINA", "Rina", "rinA", "rINA"):
        assert house.login(name, "wrong").status_code == 401
    house.register("rina")
    answer = house.login("rina")
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert answer.json()["status"] == 429
    assert house.login("root").status_code == 200


def test_successes_are_not_limited(house: House) -> None:
    assert {house.login("root").status_code for _ in range(12)} == {200}


def test_failures_of_one_address_are_limited_over_all_names(house: House) -> None:
    def fail(number: int, address: str) -> int:
        headers = {"X-Forwarded-For": address}
        return house.login(f"nobody{number}", "wrong", **headers).status_code

    assert {fail(number, "203.0.113.7") for number in range(25)} == {401}
    assert fail(26, "203.0.113.7") == 429
    assert fail(27, "203.0.113.8") == 401
    # Only the last hop is the gateway's own word.
    assert fail(28, "203.0.113.9, 203.0.113.7") == 429


def test_a_peer_that_is_not_the_gateway_speaks_for_nobody_else(house: House) -> None:
    house.client._transport.client = ("198.51.100.1", 5)  # type: ignore[attr-defined]  # another peer
    answers = [
        house.login(f"nobody{number}", "wrong", **{"X-Forwarded-For": f"203.0.113.{number}"}).status_code
        for number in range(26)
    ]
    assert answers == [401] * 25 + [429]


def test_all_processes_count_together_in_redis_and_each_alone_while_it_is_away(redis_url: str) -> None:
    first, second = (LoginThrottle(3, redis_storage(redis_url)) for _ in range(2))
    for throttle in (first, second, first):
        throttle.check("rina", "203.0.113.7")
        throttle.failed("rina", "203.0.113.7")
    for throttle in (first, second):
        with pytest.raises(TooManyAttempts):
            throttle.check("Rina", "203.0.113.8")
    with redis.Redis.from_url(redis_url) as client:
        assert b"rina" not in b" ".join(client.keys("*"))
    away = LoginThrottle(1, redis_storage("redis://127.0.0.1:1/0"))
    away.check("rina", "::1")
    away.failed("rina", "::1")
    with pytest.raises(TooManyAttempts):
        away.check("rina", "::1")


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(house: House) -> None:
    missing = house.client.post("/api/login/", json={"username": "root"})
    assert (missing.status_code, list(missing.json()["errors"])) == (400, ["password"])
    known, unknown = house.login("root", "wrong"), house.login("nobody", "wrong")
    assert known.json() == unknown.json()
    assert known.headers["WWW-Authenticate"] == "Bearer"
    assert PASSWORD not in known.text
