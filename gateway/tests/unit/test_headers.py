import ipaddress

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.headers import Caller, client_address, end_to_end, for_upstream, request_id, secure

TRUSTED = (ipaddress.ip_network("10.0.0.0/8"),)


def headers(*pairs: tuple[str, str]) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict(pairs))


def test_headers_of_the_connection_are_not_passed_on() -> None:
    given = headers(("Connection", "close, X-Mine"), ("X-Mine", "1"), ("TE", "trailers"), ("Accept", "*/*"))
    assert dict(end_to_end(given)) == {"Accept": "*/*"}


def test_repeated_headers_stay_repeated() -> None:
    given = headers(("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"))
    assert end_to_end(given).getall("Set-Cookie") == ["a=1", "b=2"]


def test_a_client_cannot_speak_as_the_gateway_or_as_a_service() -> None:
    given = headers(
        ("X-Forwarded-For", "1.1.1.1"), ("x-forwarded-user", "root"), ("X-Service-Token", "t"),
        ("Forwarded", "for=1.1.1.1"), ("X-Real-IP", "1.1.1.1"), ("Host", "evil"),
    )  # fmt: skip
    assert dict(for_upstream(given, Caller("id", "192.0.2.1", "https", "tickets.example"))) == {
        "X-Request-ID": "id",
        "X-Forwarded-For": "192.0.2.1",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "tickets.example",
    }


@pytest.mark.parametrize("given", ["", "a b", "a\nb", "x" * 129, "<script>"])
def test_an_unsafe_request_id_is_replaced(given: str) -> None:
    assert request_id(given) != given
    assert len(request_id(given)) == 36


def test_a_safe_request_id_is_kept() -> None:
    assert request_id("Run_7.a-b") == "Run_7.a-b"


@pytest.mark.parametrize(
    ("peer", "lines", "address"),
    [
        ("192.0.2.1", ["1.1.1.1"], "192.0.2.1"),
        ("10.0.0.1", ["1.1.1.1, 192.0.2.9"], "192.0.2.9"),
        ("10.0.0.1", ["1.1.1.1", "192.0.2.9, 10.0.0.2"], "192.0.2.9"),
        ("10.0.0.1", ["nonsense"], "10.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1"),
    ],
)
def test_the_client_is_the_nearest_address_no_trusted_proxy_has(
    peer: str, lines: list[str], address: str
) -> None:
    assert client_address(peer, lines, TRUSTED) == address


def test_a_client_cannot_take_away_what_the_gateway_says_by_naming_it_in_connection() -> None:
    given = headers(("Connection", "X-Forwarded-For, X-Request-ID, close"), ("X-Forwarded-For", "1.1.1.1"))
    passed = for_upstream(given, Caller("id", "192.0.2.1", "http", "a"))
    assert (passed["X-Forwarded-For"], passed["X-Request-ID"]) == ("192.0.2.1", "id")


def test_data_may_not_act_as_a_page_and_a_page_keeps_its_own_policy() -> None:
    data, page = CIMultiDict({"Content-Type": "image/svg+xml"}), CIMultiDict({"Content-Type": "text/html"})
    secure(data, "https")
    secure(page, "http")
    assert data["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert "Content-Security-Policy" not in page
    assert data["X-Content-Type-Options"] == page["X-Content-Type-Options"] == "nosniff"
    assert "Strict-Transport-Security" in data
    assert "Strict-Transport-Security" not in page
