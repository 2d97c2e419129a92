"""What a service asks of another one that runs more than once."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from shared.auth import RemoteKeys
from shared.http.replicas import Replicas, base_of, bases_of

# RFC 8037, appendix A.2
KEY = {"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
FIRST, SECOND = "http://a:1", "http://b:2"


class Hosts(httpx.BaseTransport):
    """Answers with the host that was asked, unless it is away."""

    def __init__(self) -> None:
        self.away: set[str] = set()
        self.asked: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.host)
        if request.url.host in self.away:
            raise httpx.ConnectError("refused")
        return httpx.Response(200, text=f"{request.headers['host']}{request.url.path}")


@pytest.fixture
def hosts() -> Hosts:
    return Hosts()


@pytest.fixture
def client(hosts: Hosts) -> httpx.Client:
    return httpx.Client(transport=Replicas({httpx.URL(FIRST): [FIRST, SECOND]}, hosts), base_url=FIRST)


def test_a_replica_that_is_away_costs_no_question(client: httpx.Client, hosts: Hosts) -> None:
    assert client.get("/x").text == "a:1/x"
    hosts.away = {"a"}
    assert client.get("/x").text == "b:2/x"
    assert client.get("/x").text == "b:2/x"
    assert hosts.asked == ["a", "a", "b", "b"], "one that answers is stayed with"
    hosts.away = {"b"}
    assert client.get("/x").text == "a:1/x"


def test_when_all_are_away_it_is_said(client: httpx.Client, hosts: Hosts) -> None:
    hosts.away = {"a", "b"}
    with pytest.raises(httpx.ConnectError):
        client.get("/x")
    assert hosts.asked == ["a", "b"]


def test_what_is_not_safe_is_not_asked_twice(client: httpx.Client, hosts: Hosts) -> None:
    hosts.away = {"a"}
    with pytest.raises(httpx.ConnectError):
        client.post("/x")
    assert hosts.asked == ["a"]


def test_another_service_is_asked_as_it_is(client: httpx.Client, hosts: Hosts) -> None:
    hosts.away = {"c"}
    with pytest.raises(httpx.ConnectError):
        client.get("http://c:3/x")
    assert hosts.asked == ["c"]


def test_an_address_is_one_url_or_several() -> None:
    assert bases_of("http://a:1/ , http://b:2,") == [FIRST, SECOND]
    assert (base_of(FIRST), base_of(f"{FIRST},{SECOND}"), base_of("")) == (FIRST, FIRST, "")


class Jwks(BaseHTTPRequestHandler):
    """Accounts, as far as its keys go."""

    def do_GET(self) -> None:
        body = json.dumps({"keys": [KEY]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def test_keys_are_had_from_the_replica_that_is_there() -> None:
    with socket.socket() as nobody, ThreadingHTTPServer(("127.0.0.1", 0), Jwks) as server:
        nobody.bind(("127.0.0.1", 0))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ports = nobody.getsockname()[1], server.server_port
        address = ",".join(f"http://127.0.0.1:{port}" for port in ports)
        assert RemoteKeys(address).find("k") is not None
        server.shutdown()
