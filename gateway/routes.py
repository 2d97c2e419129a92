"""Which service answers which path, and how often a client may ask: one table, the longest prefix wins."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from limits import RateLimitItem, parse

SERVICES = ("accounts", "events", "tickets", "notifications")

# One name of each method that a service may be asked with; CONNECT and TRACE are not for services.
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@dataclass(frozen=True)
class Route:
    """All paths under a prefix; `limits` says for a method how often each client may use it."""

    prefix: str
    service: str
    limits: Mapping[str, RateLimitItem] = field(default_factory=dict)
    # Where the contract calls a body over the limit 400: the field that is named.
    oversize_field: str = ""


# A login costs a password hash. The limit is for one address, behind which a whole office or a test suite may
# sit; `accounts` counts the failures for each name by itself.
_SIGN_IN = parse("600/minute")

# Where a POST costs one, or a token can be guessed; LOGIN_RATE_PER_MINUTE is for these.
HASHING = ("/api/login", "/api/token", "/api/users")

TABLE = (
    Route("/api/login", "accounts", {"POST": _SIGN_IN}),
    Route("/api/token", "accounts", {"POST": _SIGN_IN}),
    Route("/api/users", "accounts", {"POST": _SIGN_IN}),
    Route("/api/groups", "accounts"),
    Route("/api/assign-roles", "accounts"),
    Route("/api/events", "events"),
    Route("/api/events/upload", "events", oversize_field="image"),
    Route("/api/events/send-reminders", "notifications"),
    Route("/api/tickets", "tickets"),
    Route("/api/registrations", "tickets"),
    Route("/api/payments", "tickets"),
    Route("/api/notifications", "notifications"),
    Route("/unsubscribe", "notifications"),
)


class Routes:
    """The table, made quick to ask. Of two prefixes that fit, the longer one wins, whatever their order."""

    def __init__(self, table: Iterable[Route] = TABLE) -> None:
        self._table = {tuple(route.prefix.split("/")): route for route in table}
        self._depth = max(len(key) for key in self._table)

    def find(self, raw_path: str) -> Route | None:
        """The route of a still percent-encoded path; None for what is not routed or plays tricks."""
        path = raw_path
        if "%" in raw_path:
            # Decoded twice, as a service behind us may decode once more than it should.
            path = unquote(raw_path)
            if unquote(path).count("/") != raw_path.count("/") or _plays_tricks(unquote(path)):
                return None
        if _plays_tricks(path):
            return None
        parts = path.split("/", self._depth)
        for length in range(min(len(parts), self._depth), 1, -1):
            route = self._table.get(tuple(parts[:length]))
            if route is not None:
                return route
        return None


def _plays_tricks(path: str) -> bool:
    """Whether somebody might read another path in it: `..`, `..;x`, `//`, a backslash, a control code."""
    if "//" in path or "\\" in path or not path.isprintable():
        return True
    return "/." in path and any(part.partition(";")[0] in (".", "..") for part in path.split("/"))
