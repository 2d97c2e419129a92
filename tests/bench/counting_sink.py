"""A mail server that answers as fast as Python can, or after so many milliseconds for each message.

python -m tests.bench.counting_sink PORT [MILLISECONDS]
"""

import asyncio
import sys

import uvloop


class Sink(asyncio.Protocol):
    """Speaks just enough SMTP, with PIPELINING, and keeps nothing."""

    def __init__(self, slow: float) -> None:
        self._slow = slow
        self._data = False
        self._tail = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        data = self._tail + data
        if self._data:
            if not data.endswith(b"\r\n.\r\n"):
                self._tail = data[-4:]
                return
            self._data, self._tail = False, b""
            if self._slow:
                asyncio.get_running_loop().call_later(self._slow, self._transport.write, b"250 taken\r\n")
            else:
                self._transport.write(b"250 taken\r\n")
            return
        *lines, self._tail = data.split(b"\r\n")
        self._transport.write(b"".join(map(self._answer, lines)))

    def _answer(self, line: bytes) -> bytes:
        verb = line[:4].upper()
        if verb == b"EHLO":
            return b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
        if verb == b"DATA":
            self._data = True
            return b"354 go\r\n"
        if verb == b"QUIT":
            self._transport.write(b"221 bye\r\n")
            self._transport.close()
            return b""
        return b"250 ok\r\n"


async def serve(port: int, slow: float) -> None:
    server = await asyncio.get_running_loop().create_server(
        lambda: Sink(slow), "127.0.0.1", port, backlog=1000
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int((sys.argv[2:] or ["0"])[0]) / 1000))
