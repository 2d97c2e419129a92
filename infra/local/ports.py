"""Ports of 127.0.0.1."""

import fcntl
import os
import random
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_PATIENCE_SECONDS = 180.0
# Below what Linux gives to outgoing connections: one of those could take the port of a process that is
# started again, also one of a client that calls that very port (it is connected to itself then).
# https://docs.kernel.org/networking/ip-sysctl.html, ip_local_port_range
FREE = range(20_000, 32_768)


def obstacle(port: int) -> str | None:
    """Why no server can listen there now; None when one can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            return "is kept for root"
        except OSError:
            return "is taken"
    return None


def choose(preferred: int, taken: set[int]) -> int:
    """The preferred port, or a free one when it is taken or 0; it is added to `taken`."""
    port = preferred
    while not port or port in taken or obstacle(port):
        port = random.choice(FREE)
    taken.add(port)
    return port


def answers(port: int) -> bool:
    """Whether somebody accepts connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def one_start_at_a_time(say: Callable[[str], None], stopped: threading.Event) -> Iterator[None]:
    """From choosing a port to listening on it takes a while: no other system may choose meanwhile.

    Who is stopped while he waits goes on without his turn, to find that he is stopped.
    """
    said = False
    file = Path(tempfile.gettempdir()) / f"dicoevent-{os.getuid()}.lock"
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with file.open("w") as lock:
        while not stopped.is_set():
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise OSError(f"another start holds {file} for {_PATIENCE_SECONDS:.0f} s") from None
                if not said:
                    say("waiting for another system that is starting")
                    said = True
                stopped.wait(0.1)
        yield
