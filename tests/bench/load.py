"""Load from a process of its own: `wrk` for reads where it is on the PATH, else a client of ours.

`python -m tests.bench.load` reads a `Job` as JSON from stdin and writes a `Result` as JSON to stdout.
"""

import asyncio
import json
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

LAST_ANSWERS_SECONDS = 30.0
_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True)
class Job:
    """Each connection sends its own requests (whole, as text) in turn, each after the answer to the last."""

    port: int
    seconds: float
    connections: Sequence[Sequence[str]]
    host: str = "127.0.0.1"


@dataclass(frozen=True)
class Result:
    """Answers by status; latencies in milliseconds."""

    seconds: float
    statuses: dict[str, int]
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        return sum(self.statuses.values()) / self.seconds


def read(url: str, connections: int, seconds: float) -> Result:
    """GETs one URL over keep-alive connections."""
    if wrk := shutil.which("wrk"):
        return _wrk(wrk, url, connections, seconds)
    parts = urlsplit(url)
    request = (
        f"GET {parts.path}{'?' + parts.query if parts.query else ''} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n"
    )
    return send(Job(parts.port or 80, seconds, [[request]] * connections))


def reader_name() -> str:
    """What `read` uses."""
    return "wrk, one thread" if shutil.which("wrk") else "the asyncio client of tests/bench/load.py"


def send(job: Job, prefix: Sequence[str] = ()) -> Result:
    """Runs a job in a process of its own, whose command begins with `prefix`."""
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "tests.bench.load"],
        input=json.dumps(asdict(job)),
        capture_output=True,
        text=True,
        timeout=job.seconds + LAST_ANSWERS_SECONDS + 30,
        check=True,
    )
    return Result(**json.loads(done.stdout))


def _wrk(wrk: str, url: str, connections: int, seconds: float) -> Result:
    whole = max(1, round(seconds))
    command = [wrk, "-t1", f"-c{connections}", f"-d{whole}s", "--latency", url]
    text = subprocess.run(command, capture_output=True, text=True, timeout=whole + 60, check=True).stdout
    return parse_wrk(text)


def parse_wrk(text: str) -> Result:
    """What a report of wrk says; everything that is not 2xx or 3xx counts as `failed`."""
    requests, span, unit = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m)\b", text).groups()
    failed = sum(
        int(n)
        for n in re.findall(r"(?:Non-2xx or 3xx responses: |connect |read |write |timeout )(\d+)", text)
    )
    statuses = {"2xx": int(requests) - failed} | ({"failed": failed} if failed else {})
    return Result(
        float(span) * _MILLISECONDS[unit] / 1000, statuses, _percentile(text, 50), _percentile(text, 99)
    )


def _percentile(text: str, percent: int) -> float:
    value, unit = re.search(rf"^\s*{percent}%\s+([\d.]+)(us|ms|s|m)\b", text, re.MULTILINE).groups()
    return float(value) * _MILLISECONDS[unit]


class _Connection(asyncio.Protocol):
    """Sends a request, waits for the whole of its answer, sends the next, until the time is over."""

    def __init__(self, requests: Sequence[bytes], deadline: float, done: asyncio.Future[None]) -> None:
        self._requests, self._deadline, self._done = requests, deadline, done
        self._buffer = b""
        self._next = 0
        self._sent_at = 0.0
        self.statuses: Counter[str] = Counter()
        self.latencies: list[float] = []

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        if self._sent_at >= self._deadline:
            self._transport.close()
            return
        self._transport.write(self._requests[self._next % len(self._requests)])
        self._next += 1

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if length is None:
            raise ValueError(f"an answer without a length: {head!r}")
        if len(body) < int(length[1]):
            return
        self._buffer = b""
        self.latencies.append(time.perf_counter() - self._sent_at)
        self.statuses[head[9:12].decode()] += 1
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._sent_at < self._deadline:
            self.statuses["connection lost"] += 1
        if not self._done.done():
            self._done.set_result(None)


async def _run(job: Job) -> Result:
    loop, started = asyncio.get_running_loop(), time.perf_counter()
    ends, clients = [], []
    for requests in job.connections:
        ends.append(loop.create_future())
        client = _Connection([text.encode() for text in requests], started + job.seconds, ends[-1])
        clients.append(client)
        await loop.create_connection(lambda client=client: client, job.host, job.port)
    async with asyncio.timeout(job.seconds + LAST_ANSWERS_SECONDS):
        await asyncio.gather(*ends)
    seconds = time.perf_counter() - started
    latencies = sorted(latency * 1000 for client in clients for latency in client.latencies) or [0.0]
    statuses = sum((client.statuses for client in clients), Counter())
    p50, p99 = (latencies[min(len(latencies) - 1, int(len(latencies) * part))] for part in (0.5, 0.99))
    return Result(seconds, dict(statuses), p50, p99)


def _main() -> None:
    import uvloop

    result = uvloop.run(_run(Job(**json.load(sys.stdin))))
    sys.stdout.write(json.dumps(asdict(result)))


if __name__ == "__main__":
    _main()
