"""The soak's judge sees what is wrong, and the same seed breaks the same things."""

from itertools import islice

import pytest

from tests.chaos.book import Book, Event, Person, Ticket, Truth
from tests.chaos.faults import FAULTS
from tests.chaos.judge import Judge
from tests.chaos.mailroom import Mail
from tests.chaos.plan import rounds
from tests.chaos.verdict import Outcome, markdown

HOUR = 3600.0
START = 10 * HOUR
DUE = START - 2 * HOUR


@pytest.fixture
def book() -> Book:
    """Sari ordered a ticket at 10 for an event whose reminder is due at 8 hours."""
    book = Book()
    book.add_person(Person("sari", "sari", [("sari@dicoevent.example", 0, 0)]))
    book.add_event(Event("e1", "Jazz", "t", (2 * HOUR,), [Truth(0, START, "Monas", answered=1)]))
    book.add_ticket(Ticket("t1", "CODE", "sari", "e1", asked=10, answered=11))
    return book


def mail(kind: str, at: float, number: int = 1, **facts: object) -> Mail:
    values = {
        "address": "sari@dicoevent.example", "event_id": "e1", "sequence": 1, "starts_at": START,
        "location": "Monas", "confirms": kind == "confirmation", "codes": ("CODE",), **facts,
    }  # fmt: skip
    return Mail(at=at, message_id=f"<{number}.x@dicoevent.example>", kind=kind, **values)  # type: ignore[arg-type]  # facts by name


def judged(book: Book, now: float, *mails: Mail) -> tuple[list[str], list[str], Judge]:
    judge = Judge(book)
    wrong = judge.take(mails)
    lost, more = judge.settle(now, now)
    return lost, wrong + more, judge


RIGHT = (mail("confirmation", 12, 1), mail("reminder", DUE + 1, 2))


def test_who_got_exactly_what_he_should_is_nothing_to_tell_of(book: Book) -> None:
    lost, wrong, judge = judged(book, DUE + 10, *RIGHT)
    assert (lost, wrong, judge.extra) == ([], [], [])


@pytest.mark.parametrize("missing", [0, 1])
def test_a_mail_that_did_not_come_is_lost(book: Book, missing: int) -> None:
    lost, wrong, _ = judged(book, DUE + 10, *(m for n, m in enumerate(RIGHT) if n != missing))
    assert len(lost) == 1
    assert wrong == []


@pytest.mark.parametrize(
    "more",
    [
        mail("reminder", DUE - 60, 3),
        mail("reminder", DUE + 2, 3),
        mail("confirmation", 13, 3),
        mail("moved", 13, 3, sequence=2, location="Kota Tua"),
        mail("reminder", DUE + 2, 3, address="who@dicoevent.example"),
        mail("cancelled", DUE + 2, 3),
    ],
)
def test_a_mail_that_should_not_have_come_is_wrong(book: Book, more: Mail) -> None:
    _, wrong, _ = judged(book, DUE + 10, *RIGHT, more)
    assert wrong


def test_a_second_copy_is_counted(book: Book) -> None:
    _, _, judge = judged(book, DUE + 10, *RIGHT, RIGHT[1])
    assert judge.extra == [RIGHT[1]]
    assert judge.copies_of_deliveries() == {1: 1, 2: 2}


def test_a_move_that_nobody_was_told_of_is_lost_and_the_old_time_is_wrong_from_then_on(book: Book) -> None:
    judge = Judge(book)
    judge.take(RIGHT[:1])
    book.events["e1"].truths.append(Truth(20, START + HOUR, "Monas", answered=21))
    lost, _ = judge.settle(30, 30)
    assert len(lost) == 1
    assert judge.take(RIGHT[1:])


def test_a_mail_to_one_who_gave_his_ticket_back_is_wrong(book: Book) -> None:
    judge = Judge(book)
    judge.take(RIGHT[:1])
    book.tickets["t1"].gone_asked, book.tickets["t1"].gone = 20, 21
    assert judge.settle(30, 30) == ([], [])
    assert judge.take(RIGHT[1:])


def test_a_seed_breaks_everything_alone_and_then_pairs_and_always_the_same() -> None:
    first, again, other = (list(islice(rounds(seed), 60)) for seed in (7, 7, 8))
    assert first == again
    assert first != other
    assert {r.faults[0].name for r in first[: len(FAULTS)]} == {fault.name for fault in FAULTS}
    assert all(len(r.faults) == 2 for r in first[len(FAULTS) :])


def test_doubles_beyond_what_nobody_can_know_are_without_an_excuse() -> None:
    outcome = Outcome(("kill -9 notifications-delivery",), recovered=1.0, doubled=6)
    outcome.excuses["kill -9 of delivery"] = 4
    assert outcome.unexcused == 2
    assert not outcome.right
    assert "| all | 1 | 0 | 0 | 0 | 4 | 2 | 0 | 1.0 | 1.0 |" in markdown([outcome])
