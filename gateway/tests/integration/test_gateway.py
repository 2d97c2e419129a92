import asyncio
import json

import pytest
from aiohttp import web

pytestmark = pytest.mark.anyio


def answers(status: int, body: object):
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(body, status=status)

    return answer


async def test_health_is_ok_when_all_services_are(world) -> None:
    await world.start()
    for path in ("/health", "/health/"):
        async with world.client.get(path) as answer:
            body = await answer.json()
            assert (answer.status, body["status"]) == (200, "ok")
            assert set(body["checks"]) == {"accounts", "events", "tickets", "notifications"}
            assert body["checks"]["events"]["latency_ms"] >= 0


async def test_a_degraded_service_makes_degraded_but_still_200(world) -> None:
    world.services["tickets"].answer = answers(200, {"status": "degraded"})
    await world.start()
    async with world.client.get("/health") as answer:
        body = await answer.json()
    assert (answer.status, body["status"], body["checks"]["tickets"]["status"]) == (
        200,
        "degraded",
        "degraded",
    )


async def test_one_service_down_is_503(world, nowhere: str) -> None:
    await world.start(EVENTS_URL=nowhere)
    async with world.client.get("/health") as answer:
        body = await answer.json()
    assert (answer.status, body["status"], body["checks"]["events"]["status"]) == (503, "down", "down")
    assert body["checks"]["tickets"]["status"] == "ok"


async def test_live_asks_nobody(world, nowhere: str) -> None:
    await world.start(
        ACCOUNTS_URL=nowhere, EVENTS_URL=nowhere, TICKETS_URL=nowhere, NOTIFICATIONS_URL=nowhere
    )
    async with world.client.get("/health/live/") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "ok"})


async def test_too_many_logins_are_429_and_other_paths_stay_open(world) -> None:
    await world.start(LOGIN_RATE_PER_MINUTE="2")
    statuses = []
    for path in ("/api/login/", "/api/login", "/api/log%69n/"):
        async with world.client.post(path, json={}) as answer:
            statuses.append(answer.status)
    assert statuses == [200, 200, 429]
    assert int(answer.headers["Retry-After"]) > 0
    for path in ("/api/token/", "/api/users/"):
        async with world.client.post(path, json={}) as answer:
            assert answer.status == 200


async def test_trusted_proxies_do_not_make_all_clients_one(world) -> None:
    await world.start(LOGIN_RATE_PER_MINUTE="1", TRUSTED_PROXIES="127.0.0.0/8")
    for client in ("192.0.2.1", "192.0.2.2"):
        async with world.client.post("/api/login/", headers={"X-Forwarded-For": client}) as answer:
            assert answer.status == 200


async def test_the_api_page_shows_the_services_that_answer(world, nowhere: str) -> None:
    world.services["events"].answer = answers(200, {"paths": {"/api/events/": {"get": {"summary": "List"}}}})
    world.services["tickets"].answer = answers(500, {})
    await world.start(ACCOUNTS_URL=nowhere)
    async with world.client.get("/openapi.json") as answer:
        assert set((await answer.json())["paths"]) == {"/api/events/"}
    async with world.client.get("/docs") as answer:
        assert answer.content_type == "text/html"
        assert "/api/events/" in await answer.text()


async def test_the_api_page_is_made_once_for_many_readers(world) -> None:
    for service in world.services.values():
        service.answer = answers(200, {"paths": {}})
    await world.start()
    await asyncio.gather(*(world.client.get("/openapi.json") for _ in range(20)))
    assert [len(service.requests) for service in world.services.values()] == [1, 1, 1, 1]


async def test_the_front_page_says_where_to_go(world) -> None:
    await world.start()
    async with world.client.get("/") as answer:
        assert (await answer.json())["links"]["docs"] == "/docs"


async def test_own_pages_can_only_be_read(world) -> None:
    await world.start()
    async with world.client.post("/health") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


async def test_what_is_not_http_gets_a_json_problem(world) -> None:
    await world.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(b"GET /\x01 HTTP/1.1\r\nbad header\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"400" in head.splitlines()[0]
    assert json.loads(body)["status"] == 400


async def test_each_request_is_one_log_line_of_the_same_shape_as_all_others(world, capsys) -> None:
    await world.start()
    async with world.client.get("/api/events/?q=private", headers={"X-Request-ID": "r1"}) as answer:
        await answer.read()
    await world.stop()
    [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert line.pop("duration_ms") >= 0
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "request_id": "r1",
        "method": "GET",
        "path": "/api/events/",
        "status": 200,
        "upstream": "events",
        "event": "request",
        "process": "gateway",
        "level": "info",
        "logger": "gateway.access_log",
    }


async def test_above_info_requests_are_not_logged(world, capsys) -> None:
    await world.start(LOG_LEVEL="warning")
    async with world.client.get("/api/events/") as answer:
        await answer.read()
    await world.stop()
    assert capsys.readouterr().out == ""


ORIGIN = {"Origin": "https://shop.example"}
PREFLIGHT = {**ORIGIN, "Access-Control-Request-Method": "POST"}


async def test_a_page_of_an_allowed_origin_may_use_the_api(world) -> None:
    await world.start(CORS_ORIGINS="https://shop.example")
    async with world.client.options("/api/events/", headers=PREFLIGHT) as answer:
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == "https://shop.example"
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]
        assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
    assert world.services["events"].requests == [], "a preflight is answered by the gateway"
    async with world.client.get("/api/events/", headers=ORIGIN) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "https://shop.example"
        assert answer.headers["Vary"] == "Origin"
        assert "X-Request-ID" in answer.headers["Access-Control-Expose-Headers"]
    async with world.client.get("/nowhere", headers=ORIGIN) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "https://shop.example"


async def test_a_page_of_another_origin_is_told_nothing(world) -> None:
    await world.start(CORS_ORIGINS="https://shop.example")
    other = {**PREFLIGHT, "Origin": "https://evil.example"}
    for method in ("OPTIONS", "GET"):
        async with world.client.request(method, "/api/events/", headers=other) as answer:
            assert not [name for name in answer.headers if name.startswith("Access-Control")]


async def test_without_the_setting_no_origin_is_allowed_and_with_a_star_all_are(world) -> None:
    await world.start()
    async with world.client.get("/api/events/", headers=ORIGIN) as answer:
        assert "Access-Control-Allow-Origin" not in answer.headers
    await world.start(CORS_ORIGINS="*")
    async with world.client.get("/api/events/", headers=ORIGIN) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_a_method_that_is_for_no_service_is_405(world) -> None:
    await world.start()
    for method in ("TRACE", "PROPFIND"):
        async with world.client.request(method, "/api/events/") as answer:
            assert answer.status == 405
            assert "GET" in answer.headers["Allow"]
    assert world.services["events"].requests == []


async def test_head_is_get_without_the_body(world) -> None:
    await world.start()
    for path in ("/docs", "/openapi.json", "/health", "/api/events/"):
        async with world.client.get(path) as whole, world.client.head(path) as head:
            assert (head.status, await head.read()) == (200, b"")
            assert head.headers["Content-Type"] == whole.headers["Content-Type"]
            assert int(head.headers["Content-Length"]) > 0


async def test_limits_are_kept_in_redis_and_so_shared_by_gateways(world, redis_url) -> None:
    statuses = []
    for _ in range(2):
        await world.start(RATE_LIMITS="GET /api/events=1/minute", RATE_LIMIT_REDIS_URL=redis_url)
        async with world.client.get("/api/events/") as answer:
            statuses.append(answer.status)
    assert statuses == [200, 429]
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    async with world.client.get("/api/tickets/") as other:
        assert other.status == 200


async def test_limits_hold_while_redis_is_away(world, nowhere: str) -> None:
    redis_url = nowhere.replace("http", "redis")
    await world.start(RATE_LIMITS="GET /api/events=1/minute", RATE_LIMIT_REDIS_URL=redis_url)
    statuses = []
    for _ in range(2):
        async with world.client.get("/api/events/") as answer:
            statuses.append(answer.status)
    assert statuses == [200, 429]
