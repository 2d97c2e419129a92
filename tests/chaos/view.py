"""The soak as it happens: a live screen in a terminal, a plain line for each round elsewhere."""

import sys
import time
from collections import deque
from collections.abc import Callable, Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tests.chaos.verdict import HEADINGS, Outcome, lines_of

_EVERY_SECONDS = 5.0


class View:
    """`state` is asked for one line about now."""

    def __init__(self, state: Callable[[], str], outcomes: Sequence[Outcome]) -> None:
        self._state, self._outcomes = state, outcomes
        self._began = time.monotonic()
        self._said: deque[str] = deque(maxlen=12)
        self._next = 0.0
        console = Console()
        self._live = Live(console=console, refresh_per_second=2, get_renderable=self._screen)
        self._is_terminal = console.is_terminal

    def __enter__(self) -> "View":
        if self._is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_terminal:
            self._live.stop()

    def say(self, text: str) -> None:
        """One line about what happened."""
        line = f"[{time.monotonic() - self._began:6.1f} s] {text}"
        self._said.append(line)
        if not self._is_terminal:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()

    def tick(self) -> None:
        """Called often; says where things are every few seconds where there is no screen."""
        if not self._is_terminal and time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY_SECONDS
            self.say(self._state())

    def _screen(self) -> Group:
        table = table_of(self._outcomes)
        return Group(
            Text(f"{time.monotonic() - self._began:6.0f} s  {self._state()}"),
            table,
            Text("\n".join(self._said)),
        )


def table_of(outcomes: Sequence[Outcome]) -> Table:
    """What the rounds came to until now."""
    table = Table(*HEADINGS, box=None, header_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    for line in lines_of(outcomes):
        bad = line.lost or line.unexcused or line.wrong
        table.add_row(*line.cells(), style="bold red" if bad else "")
    return table
