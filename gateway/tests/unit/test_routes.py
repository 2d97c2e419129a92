import pytest

from gateway.routes import find_service, is_limited


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
    ],
)
def test_no_encoding_climbs_out_of_a_prefix(path: str) -> None:
    assert find_service(path) is None


def test_only_posts_for_tokens_are_limited() -> None:
    assert is_limited("POST", "/api/login/")
    assert is_limited("POST", "/api/tok%65n")
    assert not is_limited("GET", "/api/login/")
    assert not is_limited("POST", "/api/users/")
