"""What accounts is told from outside."""

from ipaddress import ip_network

import pytest

from services.accounts.settings import read_settings
from shared.settings import SettingError

GOOD = {
    "ACCOUNTS_DATABASE_URL": "postgresql://u:p@db/accounts",
    "AUTH_SIGNING_KEY": "-----BEGIN PRIVATE KEY-----\\nx",
    "SERVICE_TOKEN": "token",
}


def test_defaults_allow_ten_failures_a_minute_and_believe_internal_peers() -> None:
    settings = read_settings(GOOD)
    assert settings.login_attempts_per_minute == 10
    assert ip_network("172.16.0.0/12") in settings.gateway_networks
    assert settings.superuser is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("LOGIN_ATTEMPTS_PER_MINUTE", "0"), ("LOGIN_ATTEMPTS_PER_MINUTE", "many"),
     ("GATEWAY_NETWORKS", "gateway"), ("GATEWAY_NETWORKS", "10.0.0.1/8"), ("SERVICE_TOKEN", " "),
     ("AUTH_SIGNING_KEY", "x"), ("ACCOUNTS_DATABASE_URL", "mysql://x/y")],
)  # fmt: skip
def test_a_wrong_value_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingError, match=name):
        read_settings({**GOOD, name: value})


@pytest.mark.parametrize("email", ["notanaddress", "a@", "a@b.id\r\nBcc: x@y.id"])
def test_a_superuser_without_a_real_address_is_refused_by_name(email: str) -> None:
    first = {"SUPERUSER_USERNAME": "root", "SUPERUSER_PASSWORD": "x" * 12, "SUPERUSER_EMAIL": email}
    with pytest.raises(SettingError, match="SUPERUSER_EMAIL"):
        read_settings({**GOOD, **first})
