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
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name}: "):
        load({**URLS, name: value})
