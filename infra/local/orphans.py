"""Processes of an earlier runner that was killed: found by their pid files, and stopped."""

from collections.abc import Callable
from pathlib import Path

import psutil


def find_runner(home: Path) -> int | None:
    """The process id of the runner that has this data folder, if one does."""
    try:
        process = psutil.Process(int((home / "run" / "up.pid").read_text()))
        command = process.cmdline()
    except (OSError, ValueError, psutil.Error):
        return None
    return process.pid if "infra.local" in command and process.status() != psutil.STATUS_ZOMBIE else None


def stop_orphans(home: Path, seconds: float = 10.0) -> list[str]:
    """Stops what an earlier runner left; returns the names."""
    found = {}
    for file in (home / "run").glob("*.pid"):
        if file.stem == "up":
            continue
        if process := _ours(home, file):
            found[file.stem] = process
        file.unlink(missing_ok=True)
    for process in found.values():
        _quietly(process.terminate)
    _, alive = psutil.wait_procs(list(found.values()), timeout=seconds)
    for process in alive:
        _quietly(process.kill)
    psutil.wait_procs(alive, timeout=5)
    return sorted(found)


def _ours(home: Path, file: Path) -> psutil.Process | None:
    """The process in a pid file, if that number is not somebody else's by now."""
    try:
        process = psutil.Process(int(file.read_text()))
        environment = process.environ()
    except (OSError, ValueError, psutil.Error):
        return None
    return process if environment.get("DICOEVENT_HOME") == str(home) else None


def _quietly(call: Callable[[], None]) -> None:
    try:
        call()
    except psutil.NoSuchProcess:
        return
