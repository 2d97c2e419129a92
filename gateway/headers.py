"""What of a message's headers is passed on, and what the gateway says in its own name. Pure."""

import ipaddress
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

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
    scheme, host = request.scheme, given.get("Host", "")
    if _is_trusted(peer, trusted):
        proto = given.get("X-Forwarded-Proto", "").rpartition(",")[2].strip().lower()
        scheme = proto if proto in ("http", "https") else scheme
        host = given.get("X-Forwarded-Host", "").rpartition(",")[2].strip() or host
    address = client_address(peer, given.getall("X-Forwarded-For", ()), trusted)
    return Caller(request_id(given.get(REQUEST_ID, "")), address, scheme, host)


def request_id(given: str) -> str:
    """The given id if it is safe to log and pass on, else a new one."""
    return given if _REQUEST_ID.fullmatch(given) else str(uuid.uuid4())


def client_address(peer: str, forwarded_for: Iterable[str], trusted: Sequence[Network]) -> str:
    """The nearest address that no trusted proxy has."""
    hops = [hop.strip() for line in forwarded_for for hop in line.split(",")]
    address = peer
    while hops and _is_trusted(address, trusted) and _is_address(hops[-1]):
        address = hops.pop()
    return address


def for_upstream(given: CIMultiDictProxy[str], caller: Caller) -> CIMultiDict[str]:
    """The headers of the request to a service."""
    headers = end_to_end(given)
    for name in {name for name in headers if _is_ours(name.lower())}:
        headers.popall(name, None)
    headers[REQUEST_ID] = caller.request_id
    headers["X-Forwarded-For"] = caller.address
    headers["X-Forwarded-Proto"] = caller.scheme
    headers["X-Forwarded-Host"] = caller.host
    return headers


def end_to_end(given: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """A message's headers without those of its connection."""
    named = {name.strip().lower() for line in given.getall("Connection", ()) for name in line.split(",")}
    dropped = HOP_BY_HOP | named
    return CIMultiDict((name, value) for name, value in given.items() if name.lower() not in dropped)


def _is_ours(name: str) -> bool:
    return name in NOT_FROM_CLIENTS or name.startswith("x-forwarded-")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_trusted(address: str, trusted: Sequence[Network]) -> bool:
    return _is_address(address) and any(ipaddress.ip_address(address) in network for network in trusted)
