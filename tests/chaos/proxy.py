"""TCP links between two processes that can be slow, cut, silent, or frozen."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

Result = TypeVar("Result")
_CHUNK = 65536
_AHEAD = 64


class Pair:
    """One connection: from the client to the link and from the link to the server."""

    def __init__(self) -> None:
        self.ends: list[asyncio.StreamWriter] = []
        self.flowing = asyncio.Event()
        self.flowing.set()
        # What the client said last, and whether it will never hear an answer.
        self.said = b""
        self.is_deaf = False

    def abort(self) -> None:
        for end in self.ends:
            end.transport.abort()


class Link:
    """Listens on a free port of 127.0.0.1 and passes on what comes."""

    def __init__(self, client: str, server: str, target: int) -> None:
        self.client, self.server, self.target = client, server, target
        self.port = 0
        self.delay = 0.0
        self.is_cut = self.is_silent = False
        self._pairs: set[Pair] = set()

    async def listen(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=500)
        self.port = server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Ends every connection and refuses new ones."""
        self.is_cut = True
        for pair in list(self._pairs):
            pair.abort()

    async def silence(self) -> None:
        """Keeps every connection, takes new ones, and passes nothing on until it is mended."""
        self.is_silent = True
        for pair in self._pairs:
            pair.flowing.clear()

    async def deafen(self, words: bytes) -> int:
        """Passes nothing more on of those connections whose client has just said `words`; how many these are.

        All others work, and new ones do.
        """
        deaf = [pair for pair in self._pairs if words in pair.said]
        for pair in deaf:
            pair.is_deaf = True
            pair.flowing.clear()
        return len(deaf)

    async def count_deaf(self) -> int:
        """How many of those their client still holds."""
        return sum(pair.is_deaf for pair in self._pairs)

    async def mend(self) -> None:
        """Lets everything through again; what was held back comes now, as TCP would bring it."""
        self.is_cut = self.is_silent = False
        for pair in self._pairs:
            pair.is_deaf = False
            pair.flowing.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pair = Pair()
        pair.ends.append(writer)
        if self.is_cut:
            pair.abort()
            return
        self._pairs.add(pair)
        if self.is_silent:
            pair.flowing.clear()
        try:
            await pair.flowing.wait()
            upstream, onward = await asyncio.open_connection("127.0.0.1", self.target)
            pair.ends.append(onward)
            await asyncio.gather(self._pump(pair, reader, onward), self._pump(pair, upstream, writer))
        except OSError:
            pair.abort()
        finally:
            self._pairs.discard(pair)
            for end in pair.ends:
                end.close()

    async def _pump(self, pair: Pair, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Read and passed on by two tasks: a delay is one of each chunk and not of all behind it.
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_AHEAD)
        passing = asyncio.ensure_future(self._pass_on(pair, waiting, writer))
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                if writer is not pair.ends[0]:
                    pair.said = chunk
                await waiting.put((loop.time() + self.delay, chunk))
        if pair.is_deaf and writer is not pair.ends[0]:
            pair.flowing.set()
            pair.abort()
        await waiting.put((loop.time() + self.delay, b""))
        await passing

    async def _pass_on(
        self, pair: Pair, waiting: "asyncio.Queue[tuple[float, bytes]]", writer: asyncio.StreamWriter
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, chunk = await waiting.get()
            if (left := due - loop.time()) > 0:
                await asyncio.sleep(left)
            await pair.flowing.wait()
            if not chunk:
                writer.close()
                return
            with contextlib.suppress(OSError):
                writer.write(chunk)
                await writer.drain()


class Links:
    """All links, served by one thread."""

    def __init__(self) -> None:
        self._links: dict[tuple[str, str], Link] = {}
        self._loop = uvloop.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="links", daemon=True).start()

    def port(self, client: str, server: str, target: int) -> int:
        """The port that `client` finds `server` at; made when it is asked for first."""
        link = self._links.get((client, server))
        if link is None:
            link = self._links[client, server] = Link(client, server, target)
            self._do(link.listen())
        return link.port

    def find(self, client: str = "", server: str = "") -> list[Link]:
        """The links of a client, of a server, or all of them; always in the same order."""
        wanted = [
            link
            for link in self._links.values()
            if client in ("", link.client) and server in ("", link.server)
        ]
        return sorted(wanted, key=lambda link: (link.client, link.server))

    def cut(self, link: Link) -> None:
        self._do(link.cut())

    def silence(self, link: Link) -> None:
        self._do(link.silence())

    def deafen(self, link: Link, words: bytes) -> int:
        return self._do(link.deafen(words))

    def count_deaf(self, link: Link) -> int:
        return self._do(link.count_deaf())

    def mend(self, link: Link) -> None:
        self._do(link.mend())

    def _do(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)
