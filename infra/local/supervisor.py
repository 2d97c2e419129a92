"""Keeps processes running: each in a process group of its own, started again with backoff when it dies."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BACKOFF_LIMIT_SECONDS = 30.0
STEADY_SECONDS = 60.0
_POLL_SECONDS = 0.2


@dataclass
class Child:
    """A process and how to look after it. `healthy` is asked until it says yes."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    healthy: Callable[[float], bool]
    cwd: str
    stop_signal: int = signal.SIGTERM
    run_as: Mapping[str, Any] = field(default_factory=dict)
    process: subprocess.Popen | None = None
    started_at: float = 0.0
    log_start: int = 0
    failures: int = 0
    restart_at: float | None = None

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None


class NotHealthyError(Exception):
    """A process did not get well in time; `name` says which, `lines` are the last of its log."""

    def __init__(self, name: str, problem: str, lines: Sequence[str] = ()) -> None:
        super().__init__(f"{name}: {problem}")
        self.name = name
        self.lines = lines


class Supervisor:
    """Starts, watches and stops children; says what happens through `say`."""

    def __init__(self, home: Path, say: Callable[[str], None]) -> None:
        self._home = home
        self._say = say
        self._children: list[Child] = []

    def start(self, child: Child) -> None:
        """Starts a child and looks after it from now on."""
        self._children.append(child)
        self._spawn(child)

    def wait_healthy(self, seconds: float, stopped: threading.Event) -> None:
        """Returns when every child is well; raises NotHealthyError at the deadline or when one dies early."""
        deadline = time.monotonic() + seconds
        waiting = list(self._children)
        while waiting and not stopped.is_set():
            waiting = [child for child in waiting if not child.healthy(child.started_at)]
            for child in waiting:
                if not child.running():
                    raise self._not_healthy(child, f"ended with {_ending(child)}")
            if waiting and time.monotonic() > deadline:
                raise self._not_healthy(waiting[0], f"not healthy after {seconds:.0f} s")
            stopped.wait(0.05 if waiting else 0)

    def _not_healthy(self, child: Child, problem: str) -> NotHealthyError:
        lines = last_lines(self._home / "log" / f"{child.name}.log", child.log_start)
        return NotHealthyError(child.name, problem, lines)

    def watch(self, stopped: threading.Event) -> None:
        """Starts what died again, until it is told to stop."""
        while not stopped.wait(_POLL_SECONDS):
            for child in self._children:
                self.look_after(child, time.monotonic())

    def look_after(self, child: Child, now: float) -> None:
        """One look at one child: 1, 2, 4 .. 30 s of backoff, from the start again after a steady minute."""
        if child.running():
            return
        if child.restart_at is None:
            if now - child.started_at > STEADY_SECONDS:
                child.failures = 0
            pause = min(BACKOFF_LIMIT_SECONDS, 2.0**child.failures)
            child.failures += 1
            child.restart_at = now + pause
            self._say(f"{child.name} ended with {_ending(child)}; it is started again in {pause:.0f} s")
        elif now >= child.restart_at:
            self._spawn(child)
            self._say(f"{child.name} is started again")

    def stop(self, seconds: float = 15.0) -> None:
        """Ends the children in waves, last started first, each with a deadline after which it is killed."""
        servers = {"postgres", "redis", "inbox"}
        waves = ([c for c in self._children if c.name not in servers], self._named("inbox"))
        for wave in (*waves, self._named("redis") + self._named("postgres")):
            _stop_all(wave, seconds)
            for child in wave:
                (self._home / "run" / f"{child.name}.pid").unlink(missing_ok=True)
        self._children.clear()

    def _named(self, name: str) -> list[Child]:
        return [child for child in self._children if child.name == name]

    def _spawn(self, child: Child) -> None:
        with (self._home / "log" / f"{child.name}.log").open("ab") as log:
            child.log_start = log.tell()
            child.process = subprocess.Popen(
                list(child.command),
                env=dict(child.environment),
                cwd=child.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # Root's data folder can be walked through: what is written there is for its owner alone.
                umask=0o077,
                **child.run_as,
            )
        child.started_at = time.monotonic()
        child.restart_at = None
        # Whoever reads the file while it is written anew must find a whole number in it.
        draft = self._home / "run" / f".{child.name}.pid"
        draft.write_text(f"{child.process.pid}\n")
        draft.replace(self._home / "run" / f"{child.name}.pid")


def _ending(child: Child) -> str:
    code = child.process.returncode if child.process else None
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"exit code {code}"


def _stop_all(children: Sequence[Child], seconds: float) -> None:
    for child in children:
        if child.process is not None and child.running():
            os.kill(child.process.pid, child.stop_signal)
    deadline = time.monotonic() + seconds
    for child in children:
        if child.process is None:
            continue
        try:
            child.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(child.process.pid, signal.SIGKILL)
            child.process.wait(5)


def last_lines(file: Path, start: int = 0, count: int = 15) -> list[str]:
    """The end of a log, but nothing from before `start` (bytes)."""
    with file.open("rb") as log:
        log.seek(max(start, file.stat().st_size - 16384))
        return log.read().decode("utf-8", "replace").splitlines()[-count:]
