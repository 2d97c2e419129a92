"""What a fault is, and what it works on."""

import random
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import redis

from tests.chaos.book import Book
from tests.chaos.databases import Databases
from tests.chaos.house import House
from tests.chaos.post import Post


@dataclass
class Scene:
    """What a fault works on. `wrong` takes what it saw that must not be; `target` names what was hit."""

    house: House
    databases: Databases
    book: Book
    post: Post
    chance: random.Random
    pause: Callable[[float], None]
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    # Conditions of recovery beside those that hold for every fault.
    until: list[Callable[[], bool]] = field(default_factory=list)
    # why -> how many mails may come twice because of it
    excuses: Counter[str] = field(default_factory=Counter)

    def redis(self, work: Callable[["redis.Redis"], Any]) -> Any:
        """Does something with Redis past the links; None, with a note, when it cannot be reached."""
        client = self.house.redis()
        try:
            return work(client)
        except redis.RedisError as error:
            self.notes.append(f"Redis: {type(error).__name__}")
            return None
        finally:
            client.close()


Run = Callable[[Scene, float], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """`hold` are the least and the most seconds it lasts. One that `restarts` processes and waits for them
    comes first of a pair: with Redis full, for one, no consumer starts.
    """

    name: str
    run: Run
    hold: tuple[float, float] = (2.0, 6.0)
    restarts: bool = False
