"""A mail server that takes its time and writes down for whom each mail was that it took.

python -m tests.machines.mail_server ADDRESS PORT MILLISECONDS FILE
"""

import asyncio
import sys
from pathlib import Path
from typing import TextIO

import uvloop

from tests.bench.counting_sink import Sink


class Book(Sink):
    """A line in the book for each mail; after it the answer, so late that it may be lost on its way."""

    def __init__(self, slow: float, book: TextIO) -> None:
        super().__init__(slow)
        self._book = book
        self._recipient = ""

    def data_received(self, data: bytes) -> None:
        was_in_data = self._data
        super().data_received(data)
        if was_in_data and not self._data:
            self._book.write(f"{self._recipient}\n")
            self._book.flush()

    def _answer(self, line: bytes) -> bytes:
        if line[:4].upper() == b"RCPT":
            self._recipient = line.partition(b"<")[2].partition(b">")[0].decode()
        return super()._answer(line)


async def serve(host: str, port: int, slow: float, file: Path) -> None:
    with file.open("a") as book:
        server = await asyncio.get_running_loop().create_server(
            lambda: Book(slow, book), host, port, backlog=1000
        )
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) / 1000, Path(sys.argv[4])))
