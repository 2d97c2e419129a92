import pytest

from gateway.settings import SettingsError, load

URLS = {
    "ACCOUNTS_URL": "http://127.0.0.1:8001/",
    "EVENTS_URL": "http://127.0.0.1:8002",
    "TICKETS_URL": "http://127.0.0.1:8003",
    "NOTIFICATIONS_URL": "http://127.0.0.1:8004",
}


def test_four_urls_are_enough() -> None:
    settings = load(URLS)
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.max_body_bytes == 1024 * 1024
    assert settings.trusted_proxies == ()
    assert set(settings.upstreams) == {"accounts", "events", "tickets", "notifications"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BIND", "8000"),
        ("BIND", "127.0.0.1:99999"),
        ("EVENTS_URL", ""),
        ("TICKETS_URL", "ftp://127.0.0.1"),
        ("ACCOUNTS_URL", "http://127.0.0.1/path"),
        ("UPSTREAM_TIMEOUT_SECONDS", "-1"),
        ("UPSTREAM_TIMEOUT_SECONDS", "nan"),
        ("MAX_BODY_BYTES", "many"),
        ("LOGIN_RATE_PER_MINUTE", "0"),
        ("TRUSTED_PROXIES", "10.0.0.0/99"),
        ("EVENTS_URL", "http://127.0.0.1:8002,http://127.0.0.1:8003/path"),
        ("RATE_LIMITS", "POST /api/login=often"),
        ("RATE_LIMITS", "POST /nowhere=1/minute"),
        ("RATE_LIMITS", "TRACE /api/login=1/minute"),
        ("RATE_LIMIT_REDIS_URL", "http://127.0.0.1"),
        ("CORS_ORIGINS", "https://shop.example/path"),
        ("CORS_ORIGINS", "shop.example"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name}: "):
        load({**URLS, name: value})


def test_a_service_may_have_several_replicas() -> None:
    settings = load({**URLS, "EVENTS_URL": "http://127.0.0.1:1, http://127.0.0.1:2,http://127.0.0.1:1/"})
    assert [str(url) for url in settings.upstreams["events"]] == ["http://127.0.0.1:1", "http://127.0.0.1:2"]


def test_limits_of_the_table_can_be_changed_and_added_to() -> None:
    rates = "POST /api/login = 5/second, GET /api/events=100/minute"
    settings = load({**URLS, "LOGIN_RATE_PER_MINUTE": "7", "RATE_LIMITS": rates})
    found = {f"{m} {route.prefix}": str(item) for route in settings.table for m, item in route.limits.items()}
    assert found == {
        "POST /api/login": "5 per 1 second",
        "POST /api/token": "7 per 1 minute",
        "POST /api/users": "7 per 1 minute",
        "GET /api/events": "100 per 1 minute",
    }


def test_limits_are_kept_in_the_brokers_redis_unless_told_otherwise() -> None:
    broker = {**URLS, "CELERY_BROKER_URL": "redis://127.0.0.1:6379/0"}
    assert load(URLS).rate_limit_redis_url == ""
    assert load(broker).rate_limit_redis_url == "redis://127.0.0.1:6379/0"
    own = {**broker, "RATE_LIMIT_REDIS_URL": "redis://127.0.0.1:6379/5"}
    assert load(own).rate_limit_redis_url == "redis://127.0.0.1:6379/5"
