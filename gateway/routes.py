"""Which service answers which path: one table, the most specific prefix first."""

from urllib.parse import unquote

SERVICES = ("accounts", "events", "tickets", "notifications")

TABLE = (
    ("/api/events/send-reminders", "notifications"),
    ("/api/notifications", "notifications"),
    ("/unsubscribe", "notifications"),
    ("/api/login", "accounts"),
    ("/api/token", "accounts"),
    ("/api/users", "accounts"),
    ("/api/groups", "accounts"),
    ("/api/assign-roles", "accounts"),
    ("/api/events", "events"),
    ("/api/tickets", "tickets"),
    ("/api/registrations", "tickets"),
    ("/api/payments", "tickets"),
)

# Where passwords and refresh tokens can be guessed.
LIMITED = ("/api/login", "/api/token")


def find_service(raw_path: str) -> str | None:
    """The service of a still percent-encoded path; None for what is not routed or tries to climb."""
    if _climbs(raw_path):
        return None
    path = unquote(raw_path)
    return next((service for prefix, service in TABLE if _under(path, prefix)), None)


def is_limited(method: str, raw_path: str) -> bool:
    """Whether a request counts against its client's login rate."""
    path = unquote(raw_path)
    return method == "POST" and any(_under(path, prefix) for prefix in LIMITED)


def _under(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(prefix + "/")


def _climbs(raw_path: str) -> bool:
    # Decoded twice, as a service behind us may decode once more than it should.
    once = unquote(raw_path)
    twice = unquote(once)
    if twice.count("/") != raw_path.count("/") or "\\" in twice or "\0" in twice:
        return True
    return any(segment.partition(";")[0] in (".", "..") for segment in twice.split("/"))
