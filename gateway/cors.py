"""Which pages of other origins may use the API (the Fetch standard's CORS protocol). Pure."""

from collections.abc import Mapping

METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
REQUEST_HEADERS = "Authorization, Content-Type, Idempotency-Key, X-Request-ID"
ANSWER_HEADERS = "X-Request-ID, X-Data-Source, Retry-After"
PREFLIGHT_SECONDS = "600"


class Cors:
    """Without any origin it is off. There are no cookies here, so credentials are never allowed."""

    def __init__(self, origins: frozenset[str]) -> None:
        self._origins = origins
        self._everybody = "*" in origins

    def is_preflight(self, method: str, given: Mapping[str, str]) -> bool:
        """Whether the gateway itself answers this request."""
        return bool(
            self._origins
            and method == "OPTIONS"
            and "Origin" in given
            and "Access-Control-Request-Method" in given
        )

    def preflight(self, given: Mapping[str, str]) -> dict[str, str]:
        """The headers of the answer to a preflight; an origin that may not is told nothing."""
        headers = self.headers(given)
        if "Access-Control-Allow-Origin" in headers:
            headers["Access-Control-Allow-Methods"] = METHODS
            headers["Access-Control-Allow-Headers"] = REQUEST_HEADERS
            headers["Access-Control-Max-Age"] = PREFLIGHT_SECONDS
            del headers["Access-Control-Expose-Headers"]
        return headers

    def headers(self, given: Mapping[str, str]) -> dict[str, str]:
        """What any answer says to the page that asked."""
        if not self._origins:
            return {}
        if self._everybody:
            return {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": ANSWER_HEADERS}
        headers = {"Vary": "Origin"}
        if (origin := given.get("Origin", "")) in self._origins:
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Expose-Headers"] = ANSWER_HEADERS
        return headers
