"""What an API refuses, as errors that carry their status (RFC 9110)."""

from collections.abc import Mapping


class Refusal(Exception):
    """An answer that is not success. `errors` maps a field to what is wrong with it."""

    status = 400
    title = "Bad request"
    retry_after: int | None = None

    def __init__(self, detail: str, errors: Mapping[str, list[str]] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = dict(errors or {})


class Invalid(Refusal):
    """The request is understood and wrong."""

    title = "Invalid"

    @classmethod
    def field(cls, name: str, problem: str) -> "Invalid":
        """One field is wrong."""
        return cls(f"{name}: {problem}", {name: [problem]})


class Unauthenticated(Refusal):
    """Nobody is signed in."""

    status, title = 401, "Not signed in"


class Forbidden(Refusal):
    """Somebody is signed in, and may not."""

    status, title = 403, "Not allowed"


class NotFound(Refusal):
    """There is no such thing, or not for this caller."""

    status, title = 404, "Not found"


class Conflict(Refusal):
    """The state of the thing does not allow it."""

    status, title = 409, "Conflict"


class TooMany(Refusal):
    """Too often; `retry_after` seconds later it is welcome again."""

    status, title = 429, "Too many requests"

    def __init__(self, detail: str, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class DependencyDown(Refusal):
    """Something this needs is away; trying again soon makes sense."""

    status, title, retry_after = 503, "A dependency is down", 2
