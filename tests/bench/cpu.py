"""Where CPU time goes: seconds of user and system of each process, from /proc."""

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_TICKS = os.sysconf("SC_CLK_TCK")
_OWN_CODE, _WITH_ENDED = slice(11, 13), slice(11, 15)


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU seconds by part (`worker`, `postgres: walwriter` ..), of which `system` in the kernel."""

    seconds: Counter[str]
    system: Counter[str]

    def since(self, before: "Spent") -> "Spent":
        """What was spent between two moments."""
        return Spent(self.seconds - before.seconds, self.system - before.system)

    def total(self, beginning: str) -> float:
        """CPU seconds of all parts whose name begins so."""
        return sum(s for name, s in self.seconds.items() if name.startswith(beginning))


def spent(workers: Sequence[int], server: int, postmaster: int) -> Spent:
    """What these processes have used up to now; of PostgreSQL those that have ended count too."""
    seconds: Counter[str] = Counter()
    system: Counter[str] = Counter()

    def add(name: str, times: Sequence[int]) -> None:
        seconds[name] += sum(times) / _TICKS
        system[name] += sum(times[1::2]) / _TICKS

    for pid in workers:
        add("worker", _times(pid, _OWN_CODE))
    add("server", _times(server, _OWN_CODE))
    add("postgres: ended", _times(postmaster, _WITH_ENDED))
    for child in psutil.Process(postmaster).children():
        try:
            add(_part(child.pid), _times(child.pid, _OWN_CODE))
        except OSError:
            continue  # it ended meanwhile
    return Spent(seconds, system)


def _times(pid: int, fields: slice) -> list[int]:
    text = Path(f"/proc/{pid}/stat").read_text()
    return [int(ticks) for ticks in text.rpartition(")")[2].split()[fields]]


def _part(pid: int) -> str:
    title = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode(errors="replace").strip()
    if title.startswith("postgres: postgres "):
        return "postgres: connections"
    return re.sub(r"\s*\d+$", "", title)


def peak_megabytes(pids: Sequence[int]) -> float:
    """The largest resident size that any of these processes ever had."""
    found = [re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text()) for pid in pids]
    return max(int(match.group(1)) for match in found if match) / 1024


def lines(used: Spent, mails: int) -> Mapping[str, str]:
    """For each part: microseconds a mail, and how much of it in the kernel; the largest first."""
    return {
        name: f"{seconds / mails * 1e6:7.1f}  {used.system[name] / mails * 1e6:7.1f}"
        for name, seconds in used.seconds.most_common()
        if seconds / mails * 1e6 >= 0.5
    }
