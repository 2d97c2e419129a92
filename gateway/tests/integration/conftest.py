"""A real gateway in front of four real aiohttp servers, all on 127.0.0.1."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import aiohttp
import pytest
from aiohttp import web

from gateway.bootstrap import running
from gateway.routes import SERVICES
from gateway.settings import load

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Service:
    """An upstream that keeps each request it got and answers as told."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.requests: list[tuple[web.Request, bytes]] = []
        self.answer: Answer = self.echo
        # Reads the body by itself, where the whole of it is not to be kept.
        self.take: Answer | None = None
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self.take:
            return await self.take(request)
        self.requests.append((request, await request.read()))
        return await self.answer(request)

    async def echo(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/health":
            return web.json_response({"status": "ok"})
        return web.json_response({"service": self.name, "path": request.raw_path, "method": request.method})


class World:
    """The services, the gateway's address, a client, and how to start a gateway with other settings."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.services = {name: Service(name) for name in SERVICES}
        self.port = 0

    async def start(self, **env: str) -> "World":
        for name, service in self.services.items():
            service.url = service.url or await self._serve(service)
            env.setdefault(f"{name.upper()}_URL", service.url)
        settings = load({"BIND": "127.0.0.1:0", **env})
        self._gateway = await self._stack.enter_async_context(AsyncExitStack())
        self.port = await self._gateway.enter_async_context(running(settings))
        base = f"http://127.0.0.1:{self.port}"
        self.client = await self._stack.enter_async_context(
            aiohttp.ClientSession(base, timeout=aiohttp.ClientTimeout(total=10))
        )
        return self

    async def stop(self) -> None:
        """Stops the gateway started last, in order."""
        await self._gateway.aclose()

    async def more(self, name: str) -> Service:
        """One more replica of a service."""
        service = Service(name)
        service.url = await self._serve(service)
        return service

    async def speak(self, data: bytes, seconds: float = 5) -> bytes:
        """Everything the gateway says to these bytes until it closes or is silent."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        said = b""
        try:
            async with asyncio.timeout(seconds):
                while chunk := await reader.read(65536):
                    said += chunk
        except (TimeoutError, ConnectionResetError):
            pass
        finally:
            writer.close()
        return said

    async def _serve(self, service: Service) -> str:
        runner = web.ServerRunner(web.Server(service.handle), shutdown_timeout=0.1)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    async def raw(
        self, handler: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
    ) -> str:
        """The URL of an upstream that speaks bytes."""
        server = await asyncio.start_server(handler, "127.0.0.1", 0)
        self._stack.callback(server.close)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        yield World(stack)


@pytest.fixture
def nowhere() -> str:
    """The URL of a port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"
