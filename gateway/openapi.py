"""One OpenAPI document made of those of the services."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from gateway import docs_page
from gateway.routes import Routes
from gateway.upstreams import Pool, Pools

Document = dict[str, Any]

CACHE_SECONDS = 60.0
# A document that lacks a service is made anew soon.
INCOMPLETE_CACHE_SECONDS = 5.0
DEADLINE_SECONDS = 2.0


def merge(documents: Mapping[str, Document]) -> Document:
    """One document of several; a component name that is taken gets its service's name as a prefix.

    Only operations that the gateway routes to that service are kept; each path item says its
    service in `x-service`.
    """
    routes = Routes()
    paths: Document = {}
    components: dict[str, Document] = {}
    for service, document in documents.items():
        renamed = _rename(service, document.get("components", {}), components)
        own = _rewrite(document, renamed)
        for path, item in own.get("paths", {}).items():
            route = routes.find(path)
            if route and route.service == service:
                paths[path] = {"x-service": service, **item}
        _add_components(components, document.get("components", {}), own, renamed)
    return {
        "openapi": "3.1.0",
        "info": {"title": "DicoEvent", "version": "1"},
        "paths": dict(sorted(paths.items())),
        "components": components,
    }


def _rename(service: str, own: Document, taken: Mapping[str, Document]) -> dict[str, str]:
    """Old reference -> new reference, for each component whose name another service has."""
    return {
        f"#/components/{kind}/{name}": f"#/components/{kind}/{service}_{name}"
        for kind, named in own.items()
        # Security schemes are named, not referred to; all services mean the same bearer token.
        if kind != "securitySchemes"
        for name in named
        if name in taken.get(kind, {})
    }


def _rewrite(node: Any, renamed: Mapping[str, str]) -> Any:
    """A copy in which every reference (also those of discriminators) has its new name."""
    if isinstance(node, dict):
        return {key: _rewrite(value, renamed) for key, value in node.items()}
    if isinstance(node, list):
        return [_rewrite(value, renamed) for value in node]
    return renamed.get(node, node) if isinstance(node, str) else node


def _add_components(
    components: dict[str, Document], names: Document, own: Document, renamed: Mapping[str, str]
) -> None:
    for kind in names:
        place = components.setdefault(kind, {})
        for name, body in own["components"][kind].items():
            old = f"#/components/{kind}/{name}"
            place.setdefault(renamed.get(old, old).rpartition("/")[2], body)


@dataclass(frozen=True)
class Publication:
    """The merged document as it goes out: as data and as a page."""

    data: bytes
    page: bytes


class Catalogue:
    """The merged document, asked from the services at most once in `CACHE_SECONDS`."""

    def __init__(
        self, session: aiohttp.ClientSession, pools: Pools, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._session = session
        self._pools = pools
        self._clock = clock
        self._lock = asyncio.Lock()
        self._publication = Publication(b"", b"")
        self._good_until = float("-inf")

    async def publication(self) -> Publication:
        """The document of all services that answer; those that are down are left out."""
        async with self._lock:
            if self._clock() >= self._good_until:
                await self._refresh()
            return self._publication

    async def _refresh(self) -> None:
        answers = await asyncio.gather(*(self._fetch(pool) for pool in self._pools.values()))
        told = {name: answer for name, answer in zip(self._pools, answers, strict=True) if answer}
        complete = len(told) == len(self._pools)
        document = merge(told)
        self._publication = Publication(json.dumps(document).encode(), docs_page.render(document).encode())
        self._good_until = self._clock() + (CACHE_SECONDS if complete else INCOMPLETE_CACHE_SECONDS)

    async def _fetch(self, pool: Pool) -> Document:
        """A service's document, empty if it gives none in time."""
        url = f"{pool.choose().base}/openapi.json"
        try:
            async with asyncio.timeout(DEADLINE_SECONDS), self._session.get(url) as answer:
                told = json.loads(await answer.read()) if answer.status == 200 else {}
        except (aiohttp.ClientError, OSError, ValueError):
            return {}
        return told if isinstance(told, dict) else {}
