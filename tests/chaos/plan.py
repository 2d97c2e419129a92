"""Which faults come when: the same for the same seed."""

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count

from tests.chaos.faults import FAULTS
from tests.chaos.scene import Fault, Scene


@dataclass(frozen=True, slots=True)
class Round:
    """One fault, or two at once: which, for how long, and the seed of everything else in it."""

    number: int
    faults: tuple[Fault, ...]
    seconds: float
    seed: str

    @property
    def name(self) -> str:
        return " + ".join(fault.name for fault in self.faults)


def rounds(seed: int, among: Sequence[Fault] = FAULTS) -> Iterator[Round]:
    """Every fault alone, in an order of the seed, then pairs without an end: the same for the same seed."""
    chance = random.Random(seed)
    alone = chance.sample(among, len(among))
    for number in count(1):
        pair = tuple(chance.sample(among, min(2, len(among))))
        faults = (alone[number - 1],) if number <= len(alone) else pair
        seconds = max(chance.uniform(*fault.hold) for fault in faults)
        yield Round(number, faults, round(seconds, 1), f"{seed}/{number}")


def strike(scene: Scene, wanted: Round) -> None:
    """Applies the faults of a round, one after the other, holds them, and lifts them."""
    with ExitStack() as stack:
        for fault in sorted(wanted.faults, key=lambda fault: not fault.restarts):
            stack.enter_context(fault.run(scene, wanted.seconds))
        scene.pause(wanted.seconds)
