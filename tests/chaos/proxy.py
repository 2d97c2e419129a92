"""TCP links between two processes that can be slow or cut."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator

SLOW_SECONDS = 0.2


class Link:
    """Listens on a free port of 127.0.0.1 and passes on what comes; it may become slow or cut at any time."""

    def __init__(self, name: str, target: int) -> None:
        self.name = name
        self.target = target
        self.port = 0
        self.delay = 0.0
        self.is_cut = False
        self._writers: set[asyncio.StreamWriter] = set()

    async def listen(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]

    def drop(self) -> None:
        """Ends every connection at once, as a cable does that is pulled and noticed."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_cut:
            writer.transport.abort()
            return
        try:
            upstream = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        pair = {writer, upstream[1]}
        self._writers |= pair
        try:
            await asyncio.gather(self._pump(reader, upstream[1]), self._pump(upstream[0], writer))
        finally:
            self._writers -= pair
            for end in pair:
                end.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65536):
                if self.delay:
                    await asyncio.sleep(self.delay)
                writer.write(chunk)
                await writer.drain()
        writer.close()


class Links:
    """All links, served by one thread."""

    def __init__(self) -> None:
        self._links: dict[tuple[str, str], Link] = {}
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="links", daemon=True).start()

    def between(self, client: str, server: str, target: int) -> int:
        """The port that `client` finds `server` at; made when it is asked for first."""
        link = self._links.get((client, server))
        if link is None:
            link = self._links[client, server] = Link(f"{client} and {server}", target)
            asyncio.run_coroutine_threadsafe(link.listen(), self._loop).result(10)
        return link.port

    def all(self) -> list[Link]:
        return list(self._links.values())

    def cut(self, link: Link) -> None:
        link.is_cut = True
        self._loop.call_soon_threadsafe(link.drop)

    def mend(self, link: Link) -> None:
        link.is_cut = False

    @contextlib.contextmanager
    def slow(self, seconds: float = SLOW_SECONDS) -> Iterator[None]:
        """Every link is slow meanwhile."""
        for link in self.all():
            link.delay = seconds
        try:
            yield
        finally:
            for link in self.all():
                link.delay = 0.0
