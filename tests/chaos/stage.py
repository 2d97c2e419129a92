"""Everything a soak needs, running: the house, its mail server, the load, the book and the judge."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2

from tests.chaos import audit
from tests.chaos.book import Book
from tests.chaos.databases import Databases
from tests.chaos.house import House
from tests.chaos.judge import Judge
from tests.chaos.load import Load
from tests.chaos.mailroom import Mailroom
from tests.chaos.plan import Round, strike
from tests.chaos.post import Post
from tests.chaos.quiet import behind, restless
from tests.chaos.scene import Scene
from tests.chaos.verdict import Outcome

RECOVERY_SECONDS = 240.0
SETTLING_SECONDS = 240.0
# An event that starts so soon is left alone: a fault may move the clock by ten minutes.
MARGIN_SECONDS = 2700.0
_LOOK_SECONDS = 0.3


@dataclass
class Stage:
    """`doing` says what happens now; `tick` is called while it is waited."""

    house: House
    databases: Databases
    mailroom: Mailroom
    book: Book
    load: Load
    post: Post
    judge: Judge
    doing: str = "starting"
    tick: Callable[[], None] = lambda: None
    _quiet: float = 0.0
    _told: set[str] = field(default_factory=set)
    _pause: threading.Event = field(default_factory=threading.Event)

    def wait(self, seconds: float) -> None:
        """Lets the time go by under load."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._pause.wait(min(left, _LOOK_SECONDS))
            self.tick()

    def warm_up(self, orders: int, seconds: float = 90.0) -> None:
        """Returns when so many tickets were ordered."""
        self.doing = "warming up"
        self.load.resume()
        deadline = time.monotonic() + seconds
        while len(self.book.tickets) < orders:
            if time.monotonic() > deadline:
                raise AssertionError(f"not {orders} orders in {seconds:.0f} s: {self.load.failures[:3]}")
            self.wait(_LOOK_SECONDS)

    def play(self, wanted: Round) -> Outcome:
        """One round: the faults, recovery, and a look at everything once it is quiet."""
        outcome = Outcome(tuple(fault.name for fault in wanted.faults))
        operations, mails, extra = self.book.operations, self.mailroom.count, len(self.judge.extra)
        scene = Scene(self.house, self.databases, self.book, self.post, random.Random(wanted.seed), self.wait)
        self.load.resume()
        self.doing = f"{wanted.name}, for {wanted.seconds} s"
        strike(scene, wanted)
        lifted = time.time()
        self.doing = f"recovering from {wanted.name}"
        left = self._until(lambda: self._behind(scene, lifted), RECOVERY_SECONDS)
        if left:
            outcome.wrong += [f"not recovered after {RECOVERY_SECONDS:.0f} s: {problem}" for problem in left]
        else:
            outcome.recovered = time.time() - lifted
        self.settle(outcome)
        outcome.operations = self.book.operations - operations
        outcome.mails = self.mailroom.count - mails
        outcome.doubled = len(self.judge.extra) - extra
        outcome.excuses, outcome.notes = scene.excuses, list(dict.fromkeys(scene.notes))
        outcome.wrong += scene.wrong
        return outcome

    def settle(self, outcome: Outcome) -> None:
        """Nobody asks for anything until all is quiet; then everything is compared."""
        self.doing = "settling"
        self.load.pause()
        self.post.confirm()
        if left := self._until(self._restless, SETTLING_SECONDS):
            outcome.wrong += [f"not quiet after {SETTLING_SECONDS:.0f} s: {problem}" for problem in left]
        self.doing = "comparing"
        self._compare(outcome)
        self.judge.retire(self.house.now(), MARGIN_SECONDS)

    def _compare(self, outcome: Outcome) -> None:
        """The books of everybody against each other."""
        ledger = audit.Ledger.read(self.databases)
        wrong = self.judge.take(self.mailroom.take())
        missing, too_many = self.judge.settle(self._quiet, self.house.now())
        lost = [*audit.forgotten(self.databases, self.book), *missing]
        wrong += [*too_many, *audit.disagreements(self.databases)]
        wrong += ledger.disagreements(self.judge.copies_of_deliveries())
        outcome.lost += self._news(lost)
        outcome.wrong += self._news(wrong)
        with self.book.lock:
            outcome.wrong += self.book.wrong
            self.book.wrong = []
        outcome.wrong += self.load.failures
        self.load.failures = []

    def _news(self, problems: list[str]) -> list[str]:
        """Those that no earlier round has told of."""
        fresh = [problem for problem in problems if problem not in self._told]
        self._told.update(fresh)
        return fresh

    def _behind(self, scene: Scene, moment: float) -> list[str]:
        unmet = [met for met in scene.until if not met()]
        waits = ["a condition of this fault is not met"] * len(unmet)
        return waits + behind(self.house, self.databases, moment)

    def _restless(self) -> list[str]:
        self._quiet = self.house.now()
        return restless(self.house, self.databases)

    def _until(self, look: Callable[[], list[str]], seconds: float) -> list[str]:
        """Returns [] as soon as `look` finds nothing, and what it found at the deadline."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                left = look()
            except psycopg2.Error as error:
                left = [f"PostgreSQL: {' '.join(str(error).split())}"]
            if not left or time.monotonic() > deadline:
                return left
            self.wait(_LOOK_SECONDS)


@contextmanager
def stage(home: Path, seed: int, clients: int = 3, pause: float = 0.06) -> Iterator[Stage]:
    """A house in `home`, with so many clients who rest `pause` seconds between two deeds on the average."""
    with ExitStack() as stack:
        mailroom = stack.enter_context(Mailroom())
        house = stack.enter_context(House(home, mailroom.server.port))
        mailroom.clock = house.now
        book, databases = Book(), Databases(house.env)
        post = Post(house, databases, book, seed)
        load = stack.enter_context(Load(house, book, post, seed, clients, pause))
        yield Stage(house, databases, mailroom, book, load, post, Judge(book))
