"""What of a message's headers is passed on, and what the gateway says in its own name. Pure."""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from uuid_utils import uuid7

from gateway.settings import Network

REQUEST_ID = "X-Request-ID"

# RFC 9110 7.6.1, and `Proxy-Connection`, which it names as a common mistake.
HOP_BY_HOP = frozenset(
    [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)
# Only the gateway and the services may say these. `Expect` is answered by our own server.
NOT_FROM_CLIENTS = frozenset(["forwarded", "x-real-ip", "x-service-token", "x-request-id", "host", "expect"])

# Of every answer, unless the service says otherwise. An answer that is no page may not act as one.
SECURITY = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
)
POLICY_OF_DATA = "default-src 'none'; frame-ancestors 'none'"
STRICT_TRANSPORT = "max-age=31536000"

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


@dataclass(frozen=True)
class Caller:
    """Who asks: the request's id, the client's own address, and the scheme and host that it used."""

    request_id: str
    address: str
    scheme: str
    host: str


def identify(request: web.BaseRequest, trusted: Sequence[Network]) -> Caller:
    """The caller of a request; forwarding headers count only from a trusted proxy."""
    given, peer = request.headers, request.remote or "unknown"
    scheme, host, address = request.scheme, given.get("Host", ""), peer
    if not request.raw_path.startswith("/"):
        # The host of an absolute target goes before the header: RFC 9112 3.2.2.
        host = request.url.host_port_subcomponent or ""
    if trusted and _is_trusted(peer, trusted):
        proto = given.get("X-Forwarded-Proto", "").rpartition(",")[2].strip().lower()
        scheme = proto if proto in ("http", "https") else scheme
        host = given.get("X-Forwarded-Host", "").rpartition(",")[2].strip() or host
        address = client_address(peer, given.getall("X-Forwarded-For", ()), trusted)
    return Caller(request_id(given.get(REQUEST_ID, "")), address, scheme, host)


def request_id(given: str) -> str:
    """The given id if it is safe to log and pass on, else a new one."""
    return given if _REQUEST_ID.fullmatch(given) else str(uuid7())


def client_address(peer: str, forwarded_for: Iterable[str], trusted: Sequence[Network]) -> str:
    """The nearest address that no trusted proxy has."""
    hops = [hop.strip() for line in forwarded_for for hop in line.split(",")]
    address = peer
    while hops and _is_trusted(address, trusted) and _is_address(hops[-1]):
        address = hops.pop()
    return address


def for_upstream(given: CIMultiDictProxy[str], caller: Caller) -> CIMultiDict[str]:
    """The headers of the request to a service."""
    dropped = _dropped(given)
    headers = CIMultiDict(
        [
            (name, value)
            for name, value in given.items()
            if (low := name.lower()) not in dropped
            and low not in NOT_FROM_CLIENTS
            and not low.startswith("x-forwarded-")
        ]
    )
    headers[REQUEST_ID] = caller.request_id
    headers["X-Forwarded-For"] = caller.address
    headers["X-Forwarded-Proto"] = caller.scheme
    headers["X-Forwarded-Host"] = caller.host
    return headers


def end_to_end(given: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """A message's headers without those of its connection."""
    dropped = _dropped(given)
    return CIMultiDict([(name, value) for name, value in given.items() if name.lower() not in dropped])


def secure(headers: CIMultiDict[str], scheme: str) -> None:
    """Adds what keeps a browser from taking an answer for something else."""
    for name, value in SECURITY:
        headers.setdefault(name, value)
    if not headers.get("Content-Type", "").startswith("text/html"):
        headers.setdefault("Content-Security-Policy", POLICY_OF_DATA)
    if scheme == "https":
        headers.setdefault("Strict-Transport-Security", STRICT_TRANSPORT)


def _dropped(given: CIMultiDictProxy[str]) -> frozenset[str]:
    if "Connection" not in given:
        return HOP_BY_HOP
    named = (name.strip().lower() for line in given.getall("Connection") for name in line.split(","))
    return HOP_BY_HOP.union(named)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_trusted(address: str, trusted: Sequence[Network]) -> bool:
    return _is_address(address) and any(ipaddress.ip_address(address) in network for network in trusted)
