"""Bytes that no honest client sends. Nothing of them may reach a service as another request."""

import re

import pytest

pytestmark = pytest.mark.anyio

SMUGGLED = b"GET /internal/feed HTTP/1.1\r\nHost: a\r\n\r\n"
END = b"0\r\n\r\n"


def post(*lines: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([b"POST /api/events/ HTTP/1.1", b"Host: a", *lines, b"", body])


AMBIGUOUS = {
    "CL.TE": post(b"Content-Length: 6", b"Transfer-Encoding: chunked", body=END + b"G"),
    "TE.CL": post(b"Transfer-Encoding: chunked", b"Content-Length: 3", body=b"8\r\nSMUGGLED\r\n" + END),
    "TE.TE": post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=END),
    "TE that is not chunked": post(b"Transfer-Encoding: xchunked", body=END),
    "TE with chunked not last": post(b"Transfer-Encoding: chunked, gzip", body=END),
    "TE behind a vertical tab": post(b"Transfer-Encoding:\x0bchunked", body=END),
    "space before the colon": post(b"Transfer-Encoding : chunked", body=END),
    "two lengths": post(b"Content-Length: 0", b"Content-Length: 40", body=SMUGGLED),
    "a list of lengths": post(b"Content-Length: 0, 40", body=SMUGGLED),
    "a length with a sign": post(b"Content-Length: +5", body=b"abcde"),
    "a length below zero": post(b"Content-Length: -1", body=b"abcde"),
    "a hexadecimal length": post(b"Content-Length: 0x5", body=b"abcde"),
    "a length with an underscore": post(b"Content-Length: 1_0", body=b"abcdeabcde"),
    "a folded header": post(b"X-A: b", b" Transfer-Encoding: chunked", b"Content-Length: 0"),
    "bare line feeds": b"POST /api/events/ HTTP/1.1\nHost: a\nContent-Length: 0\n\n",
    "a bare carriage return": post(b"X-A: b\rTransfer-Encoding: chunked", b"Content-Length: 0"),
    "NUL in a header": post(b"X-A: b\0c", b"Content-Length: 0"),
    "a header without a name": post(b": b", b"Content-Length: 0"),
    "a header name with a space": post(b"X A: b", b"Content-Length: 0"),
    "two hosts": post(b"Host: b", b"Content-Length: 0"),
    "no method": b" /api/events/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "another protocol": b"GET /api/events/ HTTP/3.9\r\nHost: a\r\n\r\n",
    "a space in the target": b"GET /api/events/ x HTTP/1.1\r\nHost: a\r\n\r\n",
}


@pytest.mark.parametrize("name", AMBIGUOUS)
async def test_what_two_servers_may_read_in_two_ways_is_refused(world, name: str) -> None:
    await world.start()
    said = await world.speak(AMBIGUOUS[name] + SMUGGLED)
    assert said.startswith(b"HTTP/1.")
    assert said.split(b" ", 2)[1] == b"400", said
    assert said.count(b"HTTP/1.") == 1, "the connection ends with the refusal"
    assert b"application/json" in said
    assert [request for request, _ in world.services["events"].requests if request.method == "GET"] == []


CHUNKED = {
    "an extension": (b"5;a=b\r\nabcde\r\n" + END, b"abcde"),
    "a trailer": (b"5\r\nabcde\r\n0\r\nX-Service-Token: t\r\n\r\n", b"abcde"),
    "leading zeros": (b"0005\r\nabcde\r\n" + END, b"abcde"),
}


@pytest.mark.parametrize("name", CHUNKED)
async def test_odd_but_lawful_chunks_arrive_as_their_plain_body(world, name: str) -> None:
    await world.start()
    body, plain = CHUNKED[name]
    said = await world.speak(post(b"Transfer-Encoding: chunked", b"Connection: close", body=body))
    assert said.startswith(b"HTTP/1.1 200")
    [(request, received)] = world.services["events"].requests
    assert received == plain
    assert "X-Service-Token" not in request.headers
    assert "X-Service-Token" not in request.headers.get("Trailer", "")


BROKEN_CHUNKS = {
    "a length that is no number": b"zz\r\nabc\r\n",
    "a length with a sign": b"+3\r\nabc\r\n",
    "a length with 0x": b"0x3\r\nabc\r\n",
    "a huge length": b"ffffffffffffffffff\r\nabc\r\n",
    "a line feed for the end of the length": b"3\nabc\r\n" + END,
    "an extension with a line feed": b"3;a\nb\r\nabc\r\n" + END,
    "data longer than its length": b"3\r\nabcdef\r\n" + END,
}


@pytest.mark.parametrize("name", BROKEN_CHUNKS)
async def test_a_broken_chunk_ends_the_connection_and_hides_no_request(world, name: str) -> None:
    await world.start()
    said = await world.speak(post(b"Transfer-Encoding: chunked", body=BROKEN_CHUNKS[name] + SMUGGLED), 3)
    assert said.count(b"HTTP/1.") <= 1
    assert b" 200 " not in said.partition(b"\r\n")[0]
    assert [
        request.method for request, _ in world.services["events"].requests if request.path != "/api/events/"
    ] == []


# fmt: off
TRICKS = [
    b"/api/events/../internal/feed", b"/api/events/./internal", b"/api/events/..",
    b"/api/events/%2e%2e/internal",
    b"/api/events/%2E./internal", b"/api/events/..%2finternal", b"/api/events%2f..%2finternal",
    b"/api/events/%252e%252e/internal", b"/api/events/%252e%252e%252finternal", b"/api/events/..%5cinternal",
    b"/api/events/..\\internal", b"/api/events/..;/internal",
    b"/api/events/..;a=b/internal", b"/api/events;/../internal",
    b"//internal/feed", b"/api//users/", b"/api/events//upload/", b"/internal/feed", b"/%69nternal/feed",
    b"/api/%2e%2e/internal/feed", b"/api/events/%00/",
    b"/api/events/%0d%0aX-Service-Token:%20t", b"/api/events/%c0%ae%c0%ae/%2e%2e/",
    b"/api/events/\xff/", b"http://a/internal/feed", b"http://a/api/events/../internal", b"http://a//internal/feed",
    b"*", b"/metrics", b"/health/../internal/feed", b"/./internal/feed",
    b"/;/internal/feed", b"/api/..;/internal/feed",
]
# fmt: on


@pytest.mark.parametrize("target", TRICKS)
async def test_no_trick_of_a_path_leads_out_of_its_route(world, target: bytes) -> None:
    await world.start()
    said = await world.speak(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert said.split(b" ", 2)[1] in (b"400", b"404"), said
    assert b"application/json" in said
    assert not any(service.requests for service in world.services.values())


async def test_an_absolute_target_is_routed_by_its_path_and_names_the_host(world) -> None:
    await world.start()
    said = await world.speak(
        b"GET http://tickets.example/api/events/1/?a=b HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n"
    )
    assert said.startswith(b"HTTP/1.1 200")
    [(request, _)] = world.services["events"].requests
    assert request.raw_path == "/api/events/1/?a=b"
    assert request.headers["X-Forwarded-Host"] == "tickets.example"


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket"])
async def test_an_upgrade_is_not_passed_on(world, protocol: bytes) -> None:
    await world.start()
    head = (
        b"GET /api/events/ HTTP/1.1\r\nHost: a\r\nHTTP2-Settings: AAM\r\nConnection: Upgrade, HTTP2-Settings"
    )
    said = await world.speak(head + b"\r\nUpgrade: " + protocol + b"\r\n\r\n" + SMUGGLED, 0.5)
    assert said.startswith(b"HTTP/1.1 200")
    [(request, _)] = world.services["events"].requests
    assert not {"Upgrade", "HTTP2-Settings"} & set(request.headers)


async def test_connect_opens_no_tunnel(world) -> None:
    await world.start()
    said = await world.speak(b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: a\r\n\r\n", 0.5)
    assert said.split(b" ", 2)[1] in (b"400", b"404", b"405")


@pytest.mark.parametrize(
    "host", [b"evil.example", b"127.0.0.1:1", b"a b", b"a/../b", b"a@b", b"[::1", b"", b"a\xffb"]
)
async def test_a_host_header_never_chooses_the_service(world, host: bytes) -> None:
    await world.start()
    said = await world.speak(b"GET /api/events/ HTTP/1.1\r\nConnection: close\r\nHost: " + host + b"\r\n\r\n")
    assert said.split(b" ", 2)[1] in (b"200", b"400"), said
    for request, _ in world.services["events"].requests:
        assert request.host == world.services["events"].url.removeprefix("http://")


@pytest.mark.parametrize(
    "line",
    [
        b"X-Service-Token: t", b"x-service-token: t", b"X-SERVICE-TOKEN:t", b"X-Service-Token:\t t",
        b"X-Forwarded-For: 1.1.1.1",
        b"X-Forwarded-Anything: 1", b"Forwarded: for=1.1.1.1", b"X-Real-IP: 1.1.1.1",
        b"Connection: close, X-Request-ID\r\nX-Request-ID: evil id",
    ],
)  # fmt: skip
async def test_what_only_we_may_say_never_passes_from_outside(world, line: bytes) -> None:
    await world.start()
    await world.speak(b"GET /api/events/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + line + b"\r\n\r\n")
    [(request, _)] = world.services["events"].requests
    assert "X-Service-Token" not in request.headers
    assert "Forwarded" not in request.headers
    assert "X-Real-IP" not in request.headers
    assert "X-Forwarded-Anything" not in request.headers
    assert request.headers.getall("X-Forwarded-For") == ["127.0.0.1"]
    assert request.headers["X-Request-ID"] != "evil id"


async def test_bytes_that_are_no_text_in_a_header_harm_nobody(world) -> None:
    await world.start()
    said = await world.speak(
        b"GET /api/events/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-A: \xff\xfe\r\n\r\n"
    )
    assert said.split(b" ", 2)[1] in (b"200", b"400"), said


async def test_an_endless_head_is_refused(world) -> None:
    await world.start()
    said = await world.speak(b"GET /api/events/ HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 100_000 + b"\r\n\r\n")
    assert said.split(b" ", 2)[1] == b"400"
    said = await world.speak(b"GET /api/events/ HTTP/1.1\r\nHost: a\r\n" + b"X-A: a\r\n" * 5000 + b"\r\n")
    assert said.split(b" ", 2)[1] == b"400"
    said = await world.speak(b"GET /api/events/?" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    assert said.split(b" ", 2)[1] == b"400"


async def test_pipelined_requests_are_answered_in_their_order(world) -> None:
    await world.start()
    said = await world.speak(
        b"GET /api/events/1 HTTP/1.1\r\nHost: a\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n"
        b"GET /api/events/2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    )
    assert re.findall(rb"HTTP/1.1 (\d+)", said) == [b"200", b"404", b"200"]
