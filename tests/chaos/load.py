"""People who do something all the time, until they are told to pause."""

import random
import threading
from collections.abc import Callable

from tests.chaos.actions import Actor
from tests.chaos.book import NEVER, Book, Event, Person, Ticket
from tests.chaos.caller import Caller
from tests.chaos.house import House
from tests.chaos.post import Post

_ORDERS_OF_AN_EVENT = 14
_CHANGES_OF_AN_EVENT = 5
# how often, what
_WEIGHTS = {
    "order": 50,
    "pay": 10,
    "give_back": 8,
    "move": 8,
    "call_off": 3,
    "change_address": 3,
    "register": 2,
    "inject": 2,
}


class Load:
    """`workers` threads. Everything random comes from `seed` and the worker's number.

    There are always `people` at least, and `on_sale` events that can be ordered for.
    """

    people = 25
    on_sale = 8

    def __init__(self, house: House, book: Book, post: Post, seed: int, workers: int, pause: float) -> None:
        self.house, self.book, self.post = house, book, post
        self._pause = pause
        self._going = threading.Event()
        self._over = threading.Event()
        self._idle = threading.Semaphore(0)
        self.failures: list[str] = []
        self._callers = [Caller(house.env["API_URL"], book) for _ in range(workers + 1)]
        self.staff = self._staff(self._callers.pop())
        self._threads = [
            threading.Thread(target=self._work, args=(number, caller, random.Random(f"{seed}/{number}")))
            for number, caller in enumerate(self._callers)
        ]
        self._busy = 0
        self._changed = threading.Condition()

    def _staff(self, caller: Caller) -> Person:
        """The organizer of every event: the first superuser."""
        person = Person("root", "root", [("root@dicoevent.example", 0, 0)], caller.sign_in("root"))
        caller.close()
        return person

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._going.set()
        for caller in self._callers:
            caller.give_up()
        for thread in self._threads:
            thread.join(30)
        for caller in self._callers:
            caller.close()

    def resume(self) -> None:
        self._going.set()

    def pause(self, seconds: float = 300.0) -> None:
        """Returns when nobody is in the middle of anything: every question has its answer."""
        self._going.clear()
        with self._changed:
            if not self._changed.wait_for(lambda: self._busy == 0, seconds):
                raise AssertionError("a client has no answer yet")

    def _work(self, number: int, caller: Caller, chance: random.Random) -> None:
        actor = Actor(self.house, self.book, caller, chance, self.staff)
        while not self._over.is_set():
            self._going.wait()
            with self._changed:
                if not self._going.is_set() or self._over.is_set():
                    continue
                self._busy += 1
            try:
                self._step(actor)
                self.book.count("operations")
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the soak's verdict and ends nothing
                self.failures.append(f"client {number}: {type(error).__name__}: {error}")
            finally:
                with self._changed:
                    self._busy -= 1
                    self._changed.notify_all()
            self._over.wait(chance.random() * 2 * self._pause)

    def _step(self, actor: Actor) -> None:
        chance, book = actor.chance, self.book
        with book.lock:
            people = [p for p in book.people.values() if not p.injected]
            events = [e for e in book.events.values() if not (e.retired or e.injected)]
            tickets = [t for t in book.tickets.values() if t.gone_asked == NEVER]
        selling = [e for e in events if not e.truth.off and e.orders + e.refused < _ORDERS_OF_AN_EVENT]
        if len(people) < self.people:
            actor.register()
        elif len(selling) < self.on_sale:
            actor.schedule()
        else:
            self._act(actor, chance, people, events, selling, tickets)

    def _act(
        self,
        actor: Actor,
        chance: random.Random,
        people: list[Person],
        events: list[Event],
        selling: list[Event],
        tickets: list[Ticket],
    ) -> None:
        [what] = chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
        live = {e.id for e in events}
        mine = [t for t in tickets if t.event_id in live]
        if what == "register":
            actor.register()
        elif what == "inject":
            self.post.order()
        elif what == "order" or not mine:
            actor.order(chance.choice(people), chance.choice(selling))
        elif what in ("pay", "give_back"):
            ticket = chance.choice(mine)
            self._alone(self.book.people[ticket.user_id], lambda: self._with(actor, what, ticket))
        elif what == "change_address":
            person = chance.choice(people)
            self._alone(person, lambda: actor.change_address(person))
        else:
            event = chance.choice(events)
            if len(event.truths) <= _CHANGES_OF_AN_EVENT:
                self._alone(event, lambda: getattr(actor, what)(event))

    def _with(self, actor: Actor, what: str, ticket: Ticket) -> None:
        if ticket.gone_asked != NEVER:
            return
        if what == "give_back":
            actor.give_back(ticket)
        elif not ticket.paid:
            actor.pay(ticket)

    def _alone(self, what: Person | Event, act: Callable[[], None]) -> None:
        """Does it unless somebody else is at it: the book could not tell which came first."""
        if what.lock.acquire(blocking=False):
            try:
                act()
            finally:
                what.lock.release()
