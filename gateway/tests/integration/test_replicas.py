"""Several processes of one service: one that drains, hangs or dies costs no safe request."""

import asyncio
import itertools
import os
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from gateway import upstreams
from shared.testing import wait_until

pytestmark = pytest.mark.anyio


async def until(condition, what: str) -> None:
    await asyncio.to_thread(wait_until, condition, what)


async def ask(world, method: str = "GET", **options) -> int:
    async with world.client.request(method, "/api/events/", **options) as answer:
        await answer.read()
        return answer.status


def paths(service, path: str = "/api/events/") -> int:
    return sum(request.path == path for request, _ in service.requests)


async def test_replicas_are_asked_in_turn(world) -> None:
    await world.start()
    first, second, third = world.services["events"], await world.more("events"), await world.more("events")
    await world.start(EVENTS_URL=f"{first.url}, {second.url},{third.url}")
    for _ in range(30):
        assert await ask(world) == 200
    assert [paths(first), paths(second), paths(third)] == [10, 10, 10]


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_a_replica_that_refuses_connections_costs_no_request(world, nowhere: str, method: str) -> None:
    await world.start()
    alive = world.services["events"]
    await world.start(EVENTS_URL=f"{nowhere},{alive.url}")
    body = b"x" * 10_000 if method == "POST" else None
    assert Counter([await ask(world, method, data=body) for _ in range(10)]) == {200: 10}
    assert [received for request, received in alive.requests if request.method == "POST"] == [
        b"x" * 10_000
    ] * (10 if method == "POST" else 0)


async def test_a_replica_that_breaks_off_is_not_asked_twice_for_the_same(world) -> None:
    seen = []

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await reader.readline()).split()[0])
        writer.close()

    await world.start()
    broken, alive = await world.raw(hang_up), world.services["events"]
    await world.start(EVENTS_URL=f"{broken},{alive.url}")
    assert Counter([await ask(world) for _ in range(10)]) == {200: 10}
    statuses = [await ask(world, "POST", data=b"{}") for _ in range(10)]
    assert set(statuses) <= {200, 503}
    assert statuses.count(503) == seen.count(b"POST"), "what was written is never sent to another"


async def test_only_when_all_replicas_are_away_is_the_service(world, nowhere: str) -> None:
    await world.start()
    await world.start(EVENTS_URL=f"{nowhere},{nowhere.replace('127.0.0.1', 'localhost')}")
    assert await ask(world) == 503
    async with world.client.get("/health") as answer:
        assert (answer.status, (await answer.json())["checks"]["events"]["status"]) == (503, "down")


async def test_one_replica_of_two_away_is_degraded(world, nowhere: str) -> None:
    await world.start()
    await world.start(EVENTS_URL=f"{nowhere},{world.services['events'].url}")
    async with world.client.get("/health") as answer:
        assert (answer.status, (await answer.json())["checks"]["events"]["status"]) == (200, "degraded")


async def test_a_replica_that_says_it_is_unwell_is_left_out_until_it_is_well(world, monkeypatch) -> None:
    monkeypatch.setattr(upstreams.watch, "__defaults__", (0.05,))
    await world.start()
    well, unwell = world.services["events"], await world.more("events")

    async def live_is_503(request: web.Request) -> web.Response:
        return web.json_response({}, status=503 if request.path == "/health/live" else 200)

    unwell.answer = live_is_503
    await world.start(EVENTS_URL=f"{well.url},{unwell.url}")
    await until(lambda: paths(unwell, "/health/live"), "the first probe")
    await ask(world)
    unwell.requests.clear()
    for _ in range(10):
        assert await ask(world) == 200
    assert paths(unwell) == 0
    unwell.answer = unwell.echo

    async def asked_again() -> None:
        while not paths(unwell):
            await ask(world)

    await asyncio.wait_for(asked_again(), 30)


SERVICE = """
import sys
from pathlib import Path
from shared.http import make_api, serve
app = make_api("events", {})
@app.get("/api/events")
async def read() -> dict[str, str]:
    return {"status": "ok"}
@app.post("/api/events")
async def order(request: dict[str, int]) -> dict[str, str]:
    with Path(sys.argv[2]).open("a") as book:
        book.write(f"{request['number']}\\n")
    return {"status": "ok"}
serve(app, ("127.0.0.1", int(sys.argv[1])), drain=1)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@asynccontextmanager
async def service(port: int, book: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", SERVICE, str(port), str(book))
    try:
        await asyncio.wait_for(_listens(port), 30)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _listens(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_a_rolling_restart_under_load_fails_no_request(
    world, tmp_path: Path, monkeypatch, how: signal.Signals
) -> None:
    """A kill -9 fails none that may be repeated; nothing is ever done twice."""
    monkeypatch.setattr(upstreams.watch, "__defaults__", (0.1,))
    ports, done, numbers = [free_port(), free_port()], asyncio.Event(), itertools.count()
    statuses: dict[str, Counter[int]] = {"GET": Counter(), "POST": Counter()}
    told, book = set(), tmp_path / "book"

    async def load(method: str) -> None:
        async with aiohttp.ClientSession() as session:
            while not done.is_set():
                number = next(numbers)
                body = {"number": number} if method == "POST" else None
                url = f"http://127.0.0.1:{world.port}/api/events/"
                async with session.request(method, url, json=body) as answer:
                    statuses[method][answer.status] += 1
                    if method == "POST" and answer.status == 200:
                        told.add(str(number))

    async with AsyncExitStack() as stack:
        running = [await stack.enter_async_context(service(port, book)) for port in ports]
        await world.start(EVENTS_URL=",".join(f"http://127.0.0.1:{port}" for port in ports))
        async with asyncio.TaskGroup() as group:
            for method in ("GET", "POST") * 3:
                group.create_task(load(method))
            for process, port in zip(running, ports, strict=True):
                before = statuses["POST"].total()
                await until(lambda before=before: statuses["POST"].total() > before + 100, "load")
                os.kill(process.pid, how)
                assert await process.wait() == (0 if how == signal.SIGTERM else -signal.SIGKILL)
                await stack.enter_async_context(service(port, book))
            done.set()
    written = book.read_text().split()
    assert len(written) == len(set(written)), "done twice"
    assert told <= set(written), "answered and not done"
    assert set(statuses["GET"]) == {200}, statuses
    assert how == signal.SIGKILL or set(statuses["POST"]) == {200}, statuses
