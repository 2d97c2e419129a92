"""A short choice of the soak: a whole system under load, a few faults, and everything compared after each."""

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.faults import BY_NAME
from tests.chaos.plan import Round
from tests.chaos.stage import Stage, stage

# Those that are over in a few seconds, also on a busy machine.
QUICK = (
    "FLUSHALL",
    "kill -9 redis",
    "kill -9 postgres",
    "kill -9 notifications-consumer",
    "kill -9 notifications-delivery",
    "kill -9 tickets-api",
    "redis full",
    "redis stopped",
    "same message 100 times",
    "older version's message",
)


@pytest.fixture
def seed() -> int:
    made = random.randrange(10**6)
    print(f"seed {made}")  # noqa: T201 - pytest shows it when the test fails
    return made


@pytest.fixture
def house(seed: int) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="dicoevent-soak-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with stage(Path(folder) / "home", seed, clients=2) as it:
            yield it


@pytest.mark.xdist_group("soak")
def test_whatever_breaks_all_agree_afterwards_and_everybody_got_exactly_what_he_should(
    house: Stage, seed: int
) -> None:
    names = random.Random(seed).sample(QUICK, 3)
    house.load.people, house.load.on_sale = 6, 3
    house.warm_up(12)
    outcome = house.play(Round(1, tuple(BY_NAME[name] for name in names), 2.0, f"{seed}/1"))
    print(f"{names}: recovered in {outcome.recovered} s")  # noqa: T201 - as above
    assert outcome.lost == [], names
    assert outcome.wrong == [], names
    assert outcome.unexcused == 0, f"{outcome.doubled} mails came twice after {names}"
    assert outcome.operations > 0
    assert house.judge.received > 0
