"""What the system acknowledged: the soak's own book, to which everything is held in the end.

Every moment is in seconds of the epoch by the clock of notifications. What was asked and is not answered yet
may hold already, so each fact has the moment of the question and the moment of the answer.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

NEVER = float("inf")


@dataclass(slots=True)
class Truth:
    """What is true of an event from a change on; until it is answered nobody knows whether it holds."""

    asked: float
    starts_at: float
    location: str
    off: bool = False
    answered: float = NEVER


@dataclass(slots=True)
class Event:
    """An event and every truth of it. `leads` are in seconds, the longest first."""

    id: str
    name: str
    type_id: str
    leads: tuple[float, ...]
    truths: list[Truth]
    quota: int = 1000
    orders: int = 0
    refused: int = 0
    # Nothing happens to it any more: its start is near.
    retired: bool = False
    injected: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def truth(self) -> Truth:
        return self.truths[-1]

    def truths_since(self, moment: float) -> Iterator[Truth]:
        """The one that held at a moment, and all later ones."""
        for truth, successor in zip(self.truths, [*self.truths[1:], None], strict=True):
            if successor is None or successor.answered >= moment:
                yield truth


@dataclass(slots=True)
class Ticket:
    """An order that was accepted."""

    id: str
    code: str
    user_id: str
    event_id: str
    asked: float
    answered: float
    gone_asked: float = NEVER
    gone: float = NEVER
    paid: bool = False


@dataclass(slots=True)
class Person:
    """Somebody and his addresses, each with when it was asked for and answered."""

    id: str
    username: str
    addresses: list[tuple[str, float, float]]
    token: str = ""
    injected: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def addresses_since(self, moment: float) -> set[str]:
        """The address that held at a moment, and all later ones."""
        found = set()
        for (address, _, _), successor in zip(self.addresses, [*self.addresses[1:], None], strict=True):
            if successor is None or successor[2] >= moment:
                found.add(address)
        return found


@dataclass
class Book:
    """All of it; safe for several threads."""

    people: dict[str, Person] = field(default_factory=dict)
    events: dict[str, Event] = field(default_factory=dict)
    tickets: dict[str, Ticket] = field(default_factory=dict)
    payments: set[str] = field(default_factory=set)
    by_address: dict[str, str] = field(default_factory=dict)
    operations: int = 0
    refused: int = 0
    repeated: int = 0
    # What somebody was told that is not so, seen while it happened.
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add_person(self, person: Person) -> None:
        with self.lock:
            self.people[person.id] = person
            self.by_address[person.addresses[0][0].lower()] = person.id

    def add_event(self, event: Event) -> None:
        with self.lock:
            self.events[event.id] = event

    def add_ticket(self, ticket: Ticket) -> None:
        with self.lock:
            self.tickets[ticket.id] = ticket
            self.events[ticket.event_id].orders += 1

    def add_address(self, person: Person, address: str, asked: float) -> None:
        """From the question on mail may come there."""
        with self.lock:
            person.addresses.append((address, asked, NEVER))
            self.by_address[address.lower()] = person.id

    def count(self, name: str) -> None:
        with self.lock:
            setattr(self, name, getattr(self, name) + 1)

    def tell(self, problem: str) -> None:
        with self.lock:
            self.wrong.append(problem)

    @contextmanager
    def changing(self, event: Event, truth: Truth) -> Iterator[None]:
        """A change is asked for; without `answered` in the end it did not happen. Hold the event's lock."""
        event.truths.append(truth)
        try:
            yield
        finally:
            if truth.answered == NEVER:
                event.truths.remove(truth)
