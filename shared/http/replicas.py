"""Several processes of another service: one that is away costs no question to it.

An address is a base URL, or those of all replicas separated by commas, as the gateway takes them.
"""

from collections.abc import Mapping
from typing import Any

import httpx

# May be asked again of another replica: RFC 9110, 9.2.2.
_SAFE = ("GET", "HEAD")


def bases_of(address: str) -> list[str]:
    """The base URLs in an address, without their closing slashes."""
    return [url for part in address.split(",") if (url := part.strip().rstrip("/"))]


def base_of(address: str) -> str:
    """The first of them: what is asked of it through open_client() may be answered by any."""
    return next(iter(bases_of(address)), "")


def open_client(*addresses: str, **options: Any) -> httpx.Client:
    """A client; `options` as those of httpx.Client. It stays with a replica as long as that one answers."""
    groups = {httpx.URL(bases[0]): bases for a in addresses if len(bases := bases_of(a)) > 1}
    if not groups:
        return httpx.Client(**options)
    limits = options.pop("limits", httpx.Limits())
    return httpx.Client(transport=Replicas(groups, httpx.HTTPTransport(limits=limits)), **options)


class Replicas(httpx.BaseTransport):
    """Sends a request for the first of a group to the one of them that answered last."""

    def __init__(self, groups: Mapping[httpx.URL, list[str]], inner: httpx.BaseTransport) -> None:
        self._groups = {_place(first): [httpx.URL(base) for base in bases] for first, bases in groups.items()}
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The first answer of a replica; raises what the last of them raised."""
        bases = self._groups.get(_place(request.url), [request.url])
        turn = list(bases)
        for base in turn:
            request.url = request.url.copy_with(scheme=base.scheme, host=base.host, port=base.port)
            request.headers["Host"] = request.url.netloc.decode()
            try:
                answer = self._inner.handle_request(request)
            except httpx.TransportError:
                if base is turn[-1] or request.method not in _SAFE:
                    raise
                continue
            self._prefer(bases, base)
            return answer
        raise AssertionError("a group has a replica")

    @staticmethod
    def _prefer(bases: list[httpx.URL], base: httpx.URL) -> None:
        # One step for all threads: they see the old order or the new one.
        if bases[0] != base:
            bases[:] = [base, *(other for other in bases if other != base)]

    def close(self) -> None:
        """Closes the connections."""
        self._inner.close()


def _place(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
