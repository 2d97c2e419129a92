"""Waiting for a condition, with a deadline."""

import threading
import time
from collections.abc import Callable


def wait_until(
    condition: Callable[[], object], what: str, seconds: float = 30.0, every: float = 0.02
) -> None:
    """Returns as soon as `condition()` is true; fails with `what` when the deadline has passed.

    It is asked `every` so many seconds: seldom where asking is dear.
    """
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        pause.wait(every)
