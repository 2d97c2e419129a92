"""The generation of the events, read without a thread.

The driver waits on a socket, so the event loop can wait for it: https://www.psycopg.org/docs/advanced.html
(asynchronous support). One connection, used by one reader at a time.
"""

import asyncio

import psycopg2
import structlog
from psycopg2.extensions import POLL_OK, POLL_READ, connection
from sqlalchemy.engine import make_url

log = structlog.get_logger(__name__)

_QUERY = "SELECT generation::text FROM cache_generation"


class GenerationReader:
    """Asks for the committed generation; of one event loop, and not for two tasks at once."""

    def __init__(self, url: str, deadline: float = 2.0) -> None:
        self._dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._deadline = deadline
        self._connection: connection | None = None

    async def read(self) -> str | None:
        """The generation of what was committed before this was called; None if that cannot be said now."""
        was_open = self._connection is not None
        generation = await self._try()
        if generation is None and was_open:
            # The server may have closed the connection while nobody used it.
            return await self._try()
        return generation

    async def _try(self) -> str | None:
        try:
            async with asyncio.timeout(self._deadline):
                return await self._ask()
        except (psycopg2.Error, OSError, TimeoutError) as error:
            log.info("generation.not_read", error=f"{type(error).__name__}: {error}".strip())
            self.close()
            return None

    async def _ask(self) -> str | None:
        if self._connection is None:
            self._connection = psycopg2.connect(
                self._dsn, async_=1, application_name="events-generation", keepalives_idle=30
            )
            await _settle(self._connection)
        cursor = self._connection.cursor()
        cursor.execute(_QUERY)
        await _settle(self._connection)
        row = cursor.fetchone()
        return None if row is None else row[0]

    def close(self) -> None:
        """Closes the connection; the next read opens one."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None


async def _settle(waiting: connection) -> None:
    """Returns when the operation in hand is done; raises what it failed with."""
    loop = asyncio.get_running_loop()
    while (state := waiting.poll()) != POLL_OK:
        ready = loop.create_future()
        # While it connects, libpq may go from one socket to another.
        descriptor = waiting.fileno()
        if state == POLL_READ:
            start, stop = loop.add_reader, loop.remove_reader
        else:
            start, stop = loop.add_writer, loop.remove_writer
        start(descriptor, _done, ready)
        try:
            await ready
        finally:
            stop(descriptor)


def _done(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)
