"""A span for each request of an API."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from shared import tracing

_UNTRACED = ("/health", "/metrics", "/internal/feed")


class TracedRequests:
    """ASGI middleware: continues the caller's trace, or begins one."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if not tracing.is_on() or scope["type"] != "http" or scope["path"].startswith(_UNTRACED):
            await self._app(scope, receive, send)
            return
        parent = dict(scope["headers"]).get(b"traceparent", b"").decode("latin-1")
        with tracing.span(scope["method"], "server", parent=parent) as span:

            async def send_and_see(event: MutableMapping[str, Any]) -> None:
                if event["type"] == "http.response.start":
                    span.note(status=event["status"])
                await send(event)

            try:
                await self._app(scope, receive, send_and_see)
            finally:
                span.rename(f"{scope['method']} {getattr(scope.get('route'), 'path', 'unrouted')}")
