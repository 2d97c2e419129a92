"""Bodies larger than the gateway's memory may grow, both ways."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

pytestmark = pytest.mark.anyio

SIZE = 48 * 2**20
MAY_GROW = 16 * 2**20
PIECE = bytes(range(256)) * 256


@asynccontextmanager
async def process(world) -> AsyncIterator[tuple[str, int]]:
    """A gateway in a process of its own in front of the services: its URL and its pid."""
    urls = {f"{name.upper()}_URL": service.url for name, service in world.services.items()}
    env = {**os.environ, **urls, "BIND": "127.0.0.1:0", "MAX_BODY_BYTES": str(2 * SIZE)}
    gateway = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", env=env, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert gateway.stdout is not None
        line = (await asyncio.wait_for(gateway.stdout.readline(), 30)).decode()
        port = line.partition('"port": ')[2].partition(",")[0]
        yield f"http://127.0.0.1:{port}", gateway.pid
    finally:
        gateway.kill()
        await gateway.wait()


def peak_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


class Counted:
    """A service that counts a body as it comes and keeps none of it."""

    def __init__(self) -> None:
        self.size = 0
        self.chunked = False

    async def take(self, request: web.BaseRequest) -> web.StreamResponse:
        self.chunked = request.headers.get("Transfer-Encoding") == "chunked"
        async for chunk in request.content.iter_any():
            self.size += len(chunk)
        return web.json_response({"size": self.size})

    async def give(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={} if self.chunked else {"Content-Length": str(SIZE)})
        await response.prepare(request)
        for _ in range(SIZE // len(PIECE)):
            await response.write(PIECE)
        return response


@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "with a length"])
async def test_a_body_larger_than_the_memory_it_may_take_goes_up(world, chunked: bool) -> None:
    counted = Counted()
    world.services["events"].take = counted.take
    await world.start()

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(SIZE // len(PIECE)):
            yield PIECE

    headers = {} if chunked else {"Content-Length": str(SIZE)}
    async with process(world) as (url, pid), aiohttp.ClientSession() as client:
        before = peak_bytes(pid)
        async with client.post(f"{url}/api/events/", data=pieces(), headers=headers) as answer:
            assert (answer.status, await answer.json()) == (200, {"size": SIZE})
        assert peak_bytes(pid) - before < MAY_GROW
    assert counted.chunked == chunked


@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "with a length"])
async def test_an_answer_larger_than_the_memory_it_may_take_comes_down_to_a_slow_reader(
    world, chunked: bool
) -> None:
    counted = Counted()
    counted.chunked = chunked
    world.services["events"].answer = counted.give
    await world.start()
    async with process(world) as (url, pid), aiohttp.ClientSession() as client:
        before, size, right = peak_bytes(pid), 0, True
        async with client.get(f"{url}/api/events/") as answer:
            # Whoever does not stop the sender while nobody reads has the whole in memory by then.
            await asyncio.sleep(0.3)
            async for chunk in answer.content.iter_chunked(len(PIECE)):
                right = right and chunk == (PIECE + PIECE)[size % len(PIECE) :][: len(chunk)]
                size += len(chunk)
        assert (size, right) == (SIZE, True)
        assert peak_bytes(pid) - before < MAY_GROW
    assert (answer.headers.get("Transfer-Encoding") == "chunked") == chunked


async def test_the_first_bytes_come_before_the_last_are_known(world) -> None:
    go_on = asyncio.Event()

    async def two_pieces(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        await asyncio.wait_for(go_on.wait(), 10)
        await response.write(b"last")
        return response

    world.services["events"].answer = two_pieces
    await world.start()
    async with world.client.get("/api/events/") as answer:
        assert await answer.content.readany() == b"first"
        go_on.set()
        assert await answer.content.read() == b"last"


async def test_a_client_that_waits_to_be_told_is_told_to_go_on(world) -> None:
    await world.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(
        b"POST /api/events/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    )
    assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10) == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"hello")
    said = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert said.startswith(b"HTTP/1.1 200")
    assert world.services["events"].requests[0][1] == b"hello"


async def test_a_client_that_announces_too_much_is_refused_before_it_sends(world) -> None:
    await world.start(MAX_BODY_BYTES="10")
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(
        b"POST /api/events/ HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\nExpect: 100-continue\r\n\r\n"
    )
    assert b" 413 " in await asyncio.wait_for(reader.readline(), 10)
    writer.close()
