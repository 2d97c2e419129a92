"""A request's body on its way to a service."""

from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web
from aiohttp.http import HttpProcessingError

from gateway import errors


class Upload:
    """Reads a body only as fast as the service takes it, and never more than `limit` bytes."""

    def __init__(self, request: web.BaseRequest, limit: int) -> None:
        self.present = request.body_exists
        if self.present and (request.content_length or 0) > limit:
            raise errors.BodyTooLargeError(limit)
        self._request = request
        self._limit = limit
        self.begun = False
        self.finished = not self.present
        self.too_large = False
        self.broken = False

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body; ends in BodyTooLargeError once the limit is passed."""
        self.begun = True
        await self._allow()
        size = 0
        while chunk := await self._read():
            size += len(chunk)
            if size > self._limit:
                self.too_large = True
                raise errors.BodyTooLargeError(self._limit)
            yield chunk
        self.finished = True

    async def _allow(self) -> None:
        """RFC 9110 10.1.1: a client that asks waits for this before it sends its body."""
        if self._request.headers.get("Expect", "").lower() == "100-continue":
            await self._request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            # aiohttp takes what was written for the start of an answer.
            self._request.writer.output_size = 0

    async def _read(self) -> bytes:
        try:
            return await self._request.content.readany()
        except (aiohttp.ClientError, OSError, web.RequestPayloadError, HttpProcessingError):
            self.broken = True
            raise
