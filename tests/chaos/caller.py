"""A client that wants to know: it repeats a request until it has an answer that says what became of it."""

import threading
import time
from typing import Any

import httpx

from tests.chaos.book import Book, Person
from tests.e2e.client import PASSWORD

PATIENCE_SECONDS = 240.0
_PAUSE_SECONDS = 0.3
# The system says that it cannot now, or that there were too many: both may be asked again.
_AGAIN = (429, 500, 502, 503, 504)


class Unanswered(Exception):
    """Nobody answered for a whole patience, or nobody waits for the answer any more."""


class Caller:
    """One client's connection to the gateway; `first` says whether the last answer came at once."""

    def __init__(self, url: str, book: Book) -> None:
        self._url, self._book = url, book
        self._client = httpx.Client(base_url=url, timeout=httpx.Timeout(12, connect=3))
        self._over = threading.Event()
        self.first = True

    def give_up(self) -> None:
        """Ends what is asked now."""
        self._over.set()

    def close(self) -> None:
        self._client.close()

    def ask(
        self, method: str, path: str, who: Person | None = None, key: str = "", **body: Any
    ) -> httpx.Response:
        """An answer that is not a 5xx; the same request is repeated until then."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        self.first = True
        while time.monotonic() < deadline and not self._over.is_set():
            answer = self._once(method, path, who, key, body)
            if answer is not None and answer.status_code == 401 and who is not None and who.token:
                who.token = self.sign_in(who.username)
            elif answer is not None and answer.status_code not in _AGAIN:
                return answer
            if self.first:
                self._book.count("repeated")
            self.first = False
            self._over.wait(_PAUSE_SECONDS)
        raise Unanswered(f"{method} {path} had no answer in {PATIENCE_SECONDS:.0f} s")

    def _once(
        self, method: str, path: str, who: Person | None, key: str, body: dict[str, Any]
    ) -> httpx.Response | None:
        headers = {"Authorization": f"Bearer {who.token}"} if who is not None and who.token else {}
        if key:
            headers["Idempotency-Key"] = key
        try:
            return self._client.request(method, path, headers=headers, json=body or None)
        except httpx.HTTPError:
            return None

    def sign_in(self, username: str) -> str:
        """An access token; "" when there is no such user."""
        answer = self.ask("POST", "/api/login/", username=username, password=PASSWORD)
        return str(answer.json()["access"]) if answer.status_code == 200 else ""
