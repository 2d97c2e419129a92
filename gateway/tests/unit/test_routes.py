import random
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.routes import HASHING, TABLE, Route, Routes

ROUTES = Routes()
SEGMENT = st.text(
    st.characters(categories=("L", "N"), include_characters="-_~.;:@ %/"), min_size=1, max_size=8
)


def find_service(path: str) -> str | None:
    route = ROUTES.find(path)
    return route.service if route else None


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/api/login/", "accounts"),
        ("/api/token", "accounts"),
        ("/api/users/7/", "accounts"),
        ("/api/groups/1/", "accounts"),
        ("/api/assign-roles/", "accounts"),
        ("/api/events", "events"),
        ("/api/events/upload/", "events"),
        ("/api/events/posters/a%20b.png", "events"),
        ("/api/events/send-reminders", "notifications"),
        ("/api/events/send%2Dreminders/", "notifications"),
        ("/api/notifications/runs/1/", "notifications"),
        ("/unsubscribe/a.b.c", "notifications"),
        ("/api/tickets/", "tickets"),
        ("/api/registrations/1", "tickets"),
        ("/api/payments/", "tickets"),
    ],
)
def test_each_path_goes_to_the_service_that_owns_it(path: str, service: str) -> None:
    assert find_service(path) == service


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api",
        "/api/eventsX",
        "/api/events-old/",
        "/metrics",
        "/internal/feed",
        "/api/internal/",
        "/unsubscribed",
        "/API/events/",
        "api/events/",
        "*",
        "",
    ],
)
def test_what_is_not_in_the_table_is_not_routed(path: str) -> None:
    assert find_service(path) is None


@pytest.mark.parametrize(
    "path",
    [
        "/api/events/../internal/feed",
        "/api/events/%2e%2e/internal",
        "/api/events/..%2finternal",
        "/api/events%2f..%2finternal",
        "/api/events/%252e%252e/internal",
        "/api/events/..%5cinternal",
        "/api/events/..;/internal",
        "/api/events/%00",
        "/%69nternal/feed",
        "/api//users",
        "/api/events//upload/",
        "/api/events/%2fupload",
        "//api/events/",
        "/api/events;/../internal",
        "/api/events/.%2e;x=1/internal",
        "/api/events/%25252e%25252e/../internal",
        "/api/events/%0d%0aX: y",
        "/api/events/\x7f",
    ],
)
def test_no_encoding_climbs_out_of_a_prefix(path: str) -> None:
    assert find_service(path) is None


def test_a_matrix_parameter_does_not_lend_a_path_to_another_route() -> None:
    assert find_service("/api/events/send-reminders;x=1/") == "events"
    assert find_service("/api/events;x=1/send-reminders/") is None


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(SEGMENT, max_size=4), st.randoms(use_true_random=False))
def test_the_longest_prefix_wins_whatever_the_order_of_the_table(
    rest: list[str], chance: random.Random
) -> None:
    table = [*TABLE, Route("/api", "short"), Route("/api/events/send-reminders/x", "long")]
    chance.shuffle(table)
    base = chance.choice(table).prefix
    path = "/".join([base, *(quote(part, safe="") for part in rest)])
    found = Routes(table).find(path)
    fitting = [route for route in table if path == route.prefix or path.startswith(route.prefix + "/")]
    if found:
        assert found == max(fitting, key=lambda route: len(route.prefix))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(st.sampled_from("/.;%2eEfF5cC\\internalapievents")))
def test_no_path_under_a_prefix_means_one_outside_of_it_to_whoever_decodes_it(tail: str) -> None:
    from posixpath import normpath
    from urllib.parse import unquote

    path = "/api/events/" + tail
    if find_service(path) is None:
        return
    for seen in (path, unquote(path), unquote(unquote(path))):
        plain = "/".join(part.partition(";")[0] for part in seen.replace("\\", "/").split("/"))
        assert normpath(plain).startswith("/api/events")


def test_only_what_costs_a_password_hash_is_limited_by_default() -> None:
    limited = {(method, route.prefix) for route in TABLE for method in route.limits}
    assert limited == {("POST", prefix) for prefix in HASHING}
