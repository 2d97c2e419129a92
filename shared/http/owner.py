"""Asking another service once, where one's own copy is not there yet."""

from typing import Any

import httpx

from shared.http.replicas import base_of, open_client


class OwnerAway(Exception):
    """The owner could not be asked; it says nothing about the thing."""


class Owner:
    """The internal door of another service: `GET {url}/internal/{path}` with the service token."""

    def __init__(self, address: str, service_token: str) -> None:
        self._client = open_client(
            address,
            base_url=base_of(address),
            headers={"X-Service-Token": service_token},
            timeout=httpx.Timeout(3, connect=2),
            limits=httpx.Limits(max_connections=20),
        )

    def find(self, path: str) -> dict[str, Any] | None:
        """What the owner has there, None if it has nothing; raises OwnerAway."""
        try:
            answer = self._client.get(f"/internal/{path}")
            if answer.status_code == httpx.codes.NOT_FOUND:
                return None
            return answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise OwnerAway(f"{type(error).__name__}: {error}") from None

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()
