"""Machines on one computer: network namespaces on a switch, each with an address of its own.

Needs root and `ip` (iproute2). The switch is a namespace too, so the computer's own network, but for one
link into the switch, stays as it was; everything is gone with the block.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
_STOP_SECONDS = 30


@dataclass
class Machine:
    """A namespace; `started` are the processes that were started on it, in their order."""

    namespace: str
    address: str
    link: str
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(
        self, command: Sequence[str], environment: Mapping[str, str], log: Path, user: str = ""
    ) -> subprocess.Popen[bytes]:
        """A process of this machine, as root or as another user."""
        as_user = ["setpriv", f"--reuid={user}", "--regid=nogroup", "--clear-groups"] if user else []
        with log.open("ab") as out:
            process = subprocess.Popen(
                [*self.prefix, *as_user, *command],
                cwd="/" if user else ROOT,
                env={"PATH": os.environ["PATH"], **environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    @property
    def prefix(self) -> list[str]:
        """What a command begins with to run on this machine."""
        return ["ip", "netns", "exec", self.namespace]


class Network:
    """The switch and the machines that are on it."""

    def __init__(self) -> None:
        self._name = f"dico{os.getpid()}"
        # Of its own: two on one computer, or what one left that was killed, are not in each other's way.
        self._net = f"10.231.{1 + os.getpid() % 254}"
        self._switch = f"{self._name}-switch"
        self.machines: dict[str, Machine] = {}

    @property
    def addresses(self) -> str:
        """The network that all machines are in."""
        return f"{self._net}.0/24"

    def machine(self, name: str) -> Machine:
        """The machine of this name; it is put on the switch when it is asked for first."""
        if name not in self.machines:
            number = len(self.machines) + 10
            made = Machine(f"{self._name}-{name}", f"{self._net}.{number}", f"v{number}")
            _ip("netns", "add", made.namespace)
            self.machines[name] = made
            _ip("-n", self._switch, "link", "add", made.link, "type", "veth", "peer", "name", "peer")
            _ip("-n", self._switch, "link", "set", "peer", "netns", made.namespace)
            _ip("-n", self._switch, "link", "set", made.link, "master", "bridge", "up")
            _ip("-n", made.namespace, "addr", "add", f"{made.address}/24", "dev", "peer")
            for link in ("peer", "lo"):
                _ip("-n", made.namespace, "link", "set", link, "up")
        return self.machines[name]

    def cut(self, machine: Machine) -> None:
        """Pulls its cable; nobody is told."""
        _ip("-n", self._switch, "link", "set", machine.link, "down")

    def mend(self, machine: Machine) -> None:
        """Plugs it in again."""
        _ip("-n", self._switch, "link", "set", machine.link, "up")

    def open(self) -> None:
        """Makes the switch, and this computer's link into it."""
        _ip("netns", "add", self._switch)
        _ip("-n", self._switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", self._switch, "link", "set", "bridge", "up")
        _ip("link", "add", self._name, "type", "veth", "peer", "name", "host", "netns", self._switch)
        _ip("-n", self._switch, "link", "set", "host", "master", "bridge", "up")
        _ip("addr", "add", f"{self._net}.1/24", "dev", self._name)
        _ip("link", "set", self._name, "up")

    def close(self) -> None:
        """Ends every process, last started machine first, and takes everything away."""
        for machine in reversed(self.machines.values()):
            end(machine.started)
            _ip("netns", "del", machine.namespace)
        subprocess.run(["ip", "netns", "del", self._switch], check=False, capture_output=True)


@contextmanager
def network() -> Iterator[Network]:
    """A switch without machines."""
    made = Network()
    try:
        made.open()
        yield made
    finally:
        made.close()


def obstacle() -> str | None:
    """Why no machines can be made here; None when they can."""
    if os.geteuid() != 0:
        return "machines are network namespaces, and only root may make them"
    if not shutil.which("ip") or not shutil.which("setpriv"):
        return "`ip` (Debian: iproute2) or `setpriv` (util-linux) is not installed"
    probe = f"dico{os.getpid()}-probe"
    tried = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"no network namespace can be made here: {tried.stderr.strip()}"
    _ip("netns", "del", probe)
    return None


def end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ends processes in order, PostgreSQL without waiting for its clients."""
    alive = [process for process in processes if process.poll() is None]
    for process in alive:
        process.send_signal(signal.SIGINT if "postgres" in str(process.args) else signal.SIGTERM)
    for process in alive:
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=20, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
