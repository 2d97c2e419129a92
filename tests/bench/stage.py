"""What a measurement of the API needs around the system: an echo, a gateway in front of both, and nginx."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.local.ports import answers, choose
from shared.testing import wait_until
from tests.e2e.client import ROOT, RunningSystem
from tests.e2e.conftest import Installation

NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream echo {{ server 127.0.0.1:{echo}; keepalive 32; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://echo; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}
}}
"""


@dataclass(frozen=True)
class Stage:
    """Ports of 127.0.0.1. The gateway routes to the system, `/api/notifications/echo/SIZE/` to the echo."""

    gateway: int
    echo: int
    nginx: int | None


@contextmanager
def own_system() -> Iterator[RunningSystem]:
    """A whole system in a folder that goes again: embedded parts, with their durability on."""
    with tempfile.TemporaryDirectory(prefix="dicoevent-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        system = Installation(Path(folder) / "home")
        system.up()
        try:
            yield system
        finally:
            system.down()


@contextmanager
def staged(system: RunningSystem) -> Iterator[Stage]:
    """Starts the yardsticks beside a system, and stops them."""
    taken: set[int] = set()
    echo, gateway, nginx = (choose(0, taken) for _ in range(3))
    with tempfile.TemporaryDirectory(prefix="dicoevent-stage-") as name, ExitStack() as stack:
        folder = Path(name)
        python = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        stack.enter_context(
            _running([sys.executable, "-m", "tests.bench.echo", str(echo)], python, folder, echo)
        )
        urls = {f"{s}_URL": system.env[f"{s}_URL"] for s in ("ACCOUNTS", "EVENTS", "TICKETS")}
        urls.update(NOTIFICATIONS_URL=f"http://127.0.0.1:{echo}", BIND=f"127.0.0.1:{gateway}")
        stack.enter_context(
            _running([sys.executable, "-m", "gateway"], {**python, **urls}, folder, gateway, "gateway.log")
        )
        binary = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
        if binary:
            config = folder / "nginx.conf"
            config.write_text(NGINX.format(folder=folder, echo=echo, port=nginx))
            stack.enter_context(_running([binary, "-p", name, "-c", str(config)], python, folder, nginx))
        yield Stage(gateway, echo, nginx if binary else None)


@contextmanager
def _running(
    command: list[str], environment: Mapping[str, str], folder: Path, port: int, log: str = "other.log"
) -> Iterator[None]:
    with (folder / log).open("ab") as out:
        process = subprocess.Popen(
            command, cwd=ROOT, env=dict(environment), stdout=out, stderr=out, start_new_session=True
        )
    try:
        wait_until(lambda: answers(port) or process.poll() is not None, f"{command[0]} listens on {port}")
        if process.poll() is not None:
            raise OSError(f"{' '.join(command)} ended: {(folder / log).read_text()[-2000:]}")
        yield
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)
