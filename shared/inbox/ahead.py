"""What this process took in beyond the feed's cursor: several consumers commit out of order.

Kept in memory, and joined to the cursor when the messages before it are there. What is lost with the process
the feed brings again, and the inbox knows it.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

# (source, epoch) of a feed.
Place = tuple[str, str]
# One for each hole; with more of them the feed is to be read anyway.
_MOST_RUNS = 1000


@dataclass(frozen=True, slots=True, order=True)
class Run:
    """Positions that were taken in without a hole, and the id of the message at the last of them."""

    first: int
    last: int
    last_id: str = field(compare=False)


def runs_of(ids: Mapping[int, str]) -> list[Run]:
    """The runs in single positions, each with its message's id."""
    return joined(Run(position, position, ids[position]) for position in ids)


def joined(runs: Iterable[Run]) -> list[Run]:
    """The same positions in as few runs as can be, in order."""
    whole: list[Run] = []
    for run in sorted(runs):
        before = whole[-1] if whole else None
        if before is None or run.first > before.last + 1:
            whole.append(run)
        elif run.last > before.last:
            whole[-1] = Run(before.first, run.last, run.last_id)
    return whole


def reach(position: int, runs: Sequence[Run]) -> Run | None:
    """The run by which a cursor at `position` may go on, if there is one."""
    return next((run for run in runs if run.first <= position + 1 and run.last > position), None)


class Ahead:
    """The runs of one process by feed; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[Place, list[Run]] = {}

    def with_new(self, place: Place, ids: Mapping[int, str]) -> list[Run]:
        """What is kept for a feed, and these positions."""
        with self._lock:
            return joined([*self._runs.get(place, ()), *runs_of(ids)])

    def keep(self, place: Place, runs: Sequence[Run], reached: int | None) -> bool:
        """Keeps what lies beyond the cursor, once it is committed; True if nothing does.

        `reached` None: the feed that is read is of another epoch, so far.
        """
        with self._lock:
            whole = joined([*self._runs.get(place, ()), *runs])
            beyond = [run for run in whole if reached is None or run.last > reached]
            self._runs[place] = beyond[:_MOST_RUNS]
            return not beyond

    def drop(self, place: Place) -> None:
        """Forgets what was kept for a feed."""
        with self._lock:
            self._runs.pop(place, None)

    def places(self) -> list[Place]:
        """The feeds of which something lies beyond the cursor."""
        with self._lock:
            return [place for place, runs in self._runs.items() if runs]
