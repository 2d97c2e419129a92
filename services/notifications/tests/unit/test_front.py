"""What is due is gone through once, and nothing that comes meanwhile is overlooked."""

from datetime import UTC, datetime

from services.notifications.front import Front
from services.notifications.leases import Place, Taken

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def taken(seen: int, id_: int) -> Taken:
    return Taken([], seen, place(id_) if seen else None)


def place(id_: int) -> Place:
    return NOW, id_


def test_a_look_goes_on_behind_the_last_one() -> None:
    front = Front()
    front.arrived()
    front.seen(front.look(), taken(5, 5), 5)
    assert front.look().place == place(5)
    assert not front.dry


def test_it_is_dry_only_after_a_look_from_the_very_front() -> None:
    front = Front()
    front.arrived()
    front.seen(front.look(), taken(5, 5), 5)
    front.seen(front.look(), taken(2, 7), 5)
    assert not front.dry
    assert front.look().place is None
    front.seen(front.look(), taken(0, 0), 5)
    assert front.dry


def test_news_that_came_during_the_last_look_are_looked_at() -> None:
    front = Front()
    look = front.look()
    front.arrived()
    front.seen(look, taken(0, 0), 5)
    assert not front.dry


def test_of_two_looks_at_once_the_farther_one_counts() -> None:
    front = Front()
    front.arrived()
    first, second = front.look(), front.look()
    front.seen(second, taken(5, 10), 5)
    front.seen(first, taken(5, 5), 5)
    assert front.look().place == place(10)


def test_a_look_that_was_overtaken_says_nothing_of_the_end() -> None:
    front = Front()
    front.arrived()
    first, second = front.look(), front.look()
    front.seen(second, taken(5, 10), 5)
    front.seen(first, taken(0, 0), 5)
    assert not front.dry
    assert front.look().place == place(10)
