import asyncio
import gzip
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

pytestmark = pytest.mark.anyio


async def test_a_path_reaches_its_service_exactly_as_it_came(world) -> None:
    await world.start()
    for path in ("/api/events/a%20b/?q=%2F&q=2", "/api/events", "/api/tickets/"):
        async with world.client.get(aiohttp.client.URL(path, encoded=True)) as answer:
            assert (await answer.json())["path"] == path


async def test_unrouted_paths_are_problems_and_reach_no_service(world) -> None:
    await world.start()
    for path in ("/internal/feed", "/metrics", "/api/eventsX", "/api/events/%2e%2e/internal"):
        async with world.client.get(aiohttp.client.URL(path, encoded=True)) as answer:
            assert answer.status == 404
            assert answer.content_type == "application/json"
            assert set(await answer.json()) == {"type", "title", "status", "detail", "errors"}
    assert not any(service.requests for service in world.services.values())


async def test_bodies_pass_both_ways_unchanged(world) -> None:
    await world.start()
    packed = gzip.compress(b"x" * 1000)

    async def answer_packed(_: web.Request) -> web.Response:
        return web.Response(
            body=packed, status=201, headers={"Content-Encoding": "gzip", "X-Data-Source": "cache"}
        )

    world.services["events"].answer = answer_packed
    async with world.client.post("/api/events/", data=b"\0\1" * 5000) as answer:
        assert (answer.status, await answer.read()) == (201, b"x" * 1000)
        assert answer.headers["X-Data-Source"] == "cache"
    assert world.services["events"].requests[0][1] == b"\0\1" * 5000


async def test_an_answer_of_unknown_length_passes(world) -> None:
    await world.start()

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(10):
            await response.write(b"y" * 10_000)
        return response

    world.services["events"].answer = stream
    async with world.client.get("/api/events/") as answer:
        assert len(await answer.read()) == 100_000


@pytest.mark.parametrize("method", ["HEAD", "DELETE", "OPTIONS"])
async def test_answers_without_a_body_pass(world, method: str) -> None:
    await world.start()

    async def empty(_: web.Request) -> web.Response:
        return web.Response(status=204)

    world.services["events"].answer = empty
    async with world.client.request(method, "/api/events/1/") as answer:
        assert (answer.status, await answer.read()) == (204, b"")


async def test_the_request_id_goes_in_and_comes_back(world) -> None:
    await world.start()
    async with world.client.get("/api/events/", headers={"X-Request-ID": "mine-1"}) as answer:
        assert answer.headers["X-Request-ID"] == "mine-1"
    async with world.client.get("/nowhere", headers={"X-Request-ID": "not safe"}) as answer:
        assert len(answer.headers["X-Request-ID"]) == 36
    assert world.services["events"].requests[0][0].headers["X-Request-ID"] == "mine-1"


async def test_a_service_sees_the_real_client_and_no_forged_token(world) -> None:
    await world.start()
    forged = {"X-Forwarded-For": "1.1.1.1", "X-Service-Token": "secret"}
    async with world.client.get("/api/users/", headers=forged):
        seen = world.services["accounts"].requests[0][0].headers
    assert seen.getall("X-Forwarded-For") == ["127.0.0.1"]
    assert "X-Service-Token" not in seen
    assert seen["X-Forwarded-Host"] == f"127.0.0.1:{world.port}"


async def test_an_announced_body_over_the_limit_is_413_and_never_sent(world) -> None:
    await world.start(MAX_BODY_BYTES="1000")
    async with world.client.post("/api/events/", data=b"z" * 1001) as answer:
        assert answer.status == 413
    assert world.services["events"].requests == []


async def test_a_poster_over_the_limit_is_400_and_names_its_field(world) -> None:
    await world.start(MAX_BODY_BYTES="1000")
    async with world.client.post("/api/events/upload/", data=b"z" * 1001) as answer:
        assert (answer.status, list((await answer.json())["errors"])) == (400, ["image"])
    assert world.services["events"].requests == []


async def test_a_chunked_body_over_the_limit_is_413(world) -> None:
    await world.start(MAX_BODY_BYTES="1000")

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"z" * 100

    async with world.client.post("/api/events/", data=chunks()) as answer:
        assert (answer.status, (await answer.json())["status"]) == (413, 413)


async def test_a_service_that_is_not_there_is_503(world, nowhere: str) -> None:
    await world.start(EVENTS_URL=nowhere)
    for method in ("GET", "POST"):
        async with world.client.request(method, "/api/events/") as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
            assert nowhere.rpartition(":")[2] not in await answer.text()


@pytest.mark.parametrize(("method", "tries"), [("GET", 2), ("PUT", 1), ("DELETE", 1), ("POST", 1)])
async def test_only_a_read_is_tried_again_when_the_connection_breaks(world, method: str, tries: int) -> None:
    seen: list[bytes] = []

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readline())
        writer.close()

    await world.start(EVENTS_URL=await world.raw(hang_up))
    async with world.client.request(method, "/api/events/1/") as answer:
        assert answer.status == 503
    assert len(seen) == tries


async def test_a_service_that_does_not_answer_in_time_is_504(world) -> None:
    await world.start(UPSTREAM_TIMEOUT_SECONDS="0.2")

    async def never(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    world.services["events"].answer = never
    for method in ("GET", "POST"):
        async with world.client.request(
            method, "/api/events/", data=b"{}" if method == "POST" else None
        ) as answer:
            assert answer.status == 504


async def test_an_answer_that_is_not_http_is_502(world) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"secret babble\r\n\r\n")
        await writer.drain()
        writer.close()

    await world.start(EVENTS_URL=await world.raw(babble))
    async with world.client.get("/api/events/") as answer:
        assert answer.status == 502
        assert "babble" not in await answer.text()


async def test_an_answer_that_breaks_off_does_not_look_whole(world) -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        await writer.drain()
        writer.close()

    await world.start(EVENTS_URL=await world.raw(half))
    with pytest.raises(aiohttp.ClientError):
        async with world.client.get("/api/events/") as answer:
            await answer.read()


async def test_a_bare_failure_of_a_service_shows_no_internals(world) -> None:
    await world.start()

    async def traceback(_: web.Request) -> web.Response:
        return web.Response(status=500, text="Traceback: password=1")

    world.services["events"].answer = traceback
    async with world.client.get("/api/events/") as answer:
        assert (answer.status, answer.content_type) == (500, "application/json")
        assert "password" not in await answer.text()


async def test_a_body_that_is_badly_chunked_is_the_clients_fault(world) -> None:
    await world.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    head = b"POST /api/events/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    writer.write(head + b"3\r\nabc\r\n")
    writer.write(b"zz\r\n")
    status_line = await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    assert b" 400 " in status_line


async def test_a_client_that_stops_sending_gets_408(world) -> None:
    await world.start(UPSTREAM_TIMEOUT_SECONDS="0.2")
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(b"POST /api/events/ HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
    status_line = await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    assert b" 408 " in status_line
