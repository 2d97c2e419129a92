"""One JSON line for each request, of the same shape as every other log line, written in batches.

Written one by one through the logging machinery, these lines were a third of the gateway's work
(docs/decisions/0007).
"""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import unquote

from shared.logging.masking import mask_text

FLUSH_SECONDS = 0.2
BATCH = 256

# Masking every path would cost more than the rest of the line.
_SUSPECT = ("@", "%", "unsubscribe", "eyJ")
_encode = json.JSONEncoder(ensure_ascii=False).encode


def shown(path: str) -> str:
    """A raw path as it may be logged: links for unsubscribing hold a token, others an address."""
    if not any(mark in path for mark in _SUSPECT):
        return path
    return mask_text(unquote(path))


class AccessLog:
    """Keeps lines for at most `FLUSH_SECONDS`, and at most `BATCH` of them; needs a running loop.

    A kill -9 can take the lines of the last moment with it; an orderly stop takes none.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._lines: list[str] = []
        self._timer: asyncio.TimerHandle | None = None

    def note(
        self, request_id: str, method: str, path: str, status: int, seconds: float, upstream: str | None
    ) -> None:
        """One answered request."""
        line = {
            "request_id": request_id,
            "method": method,
            "path": shown(path),
            "status": status,
            "duration_ms": round(seconds * 1000, 1),
            "upstream": upstream,
            "event": "request",
            "process": "gateway",
            "level": "info",
            "logger": __name__,
            "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        }
        self._lines.append(_encode(line))
        if len(self._lines) >= BATCH:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        """Writes what is there."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._lines:
            lines, self._lines = self._lines, []
            self._write("\n".join(lines) + "\n")
