"""Who the contract speaks of, each signed in."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import httpx
import jwt

from tests.e2e.client import RunningSystem


@dataclass(frozen=True)
class Person:
    """Somebody and his client. Nobody in particular has no id."""

    id: str
    address: str
    client: httpx.Client


@dataclass(frozen=True)
class People:
    """One of each kind; `other` is an organizer too, `stranger` a user too, `anyone` is not signed in."""

    root: Person
    admin: Person
    organizer: Person
    other: Person
    user: Person
    stranger: Person
    anyone: Person


@contextmanager
def gathered(system: RunningSystem) -> Iterator[People]:
    """Makes them."""
    with ExitStack() as stack:

        def person(address: str, client: httpx.Client) -> Person:
            token = client.headers.get("Authorization", "").removeprefix("Bearer ")
            claims = jwt.decode(token, options={"verify_signature": False}) if token else {}
            return Person(claims.get("sub", ""), address, stack.enter_context(client))

        yield People(
            root=person("", system.as_user("root")),
            admin=person(*system.new_user("admin")),
            organizer=person(*system.new_user("organizer")),
            other=person(*system.new_user("organizer")),
            user=person(*system.new_user()),
            stranger=person(*system.new_user()),
            anyone=person("", httpx.Client(base_url=system.env["API_URL"], timeout=20)),
        )
