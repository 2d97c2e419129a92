"""A mail server that notes each mail before it answers, and fails on request at any step.

Raw asyncio: aiosmtpd cannot break off between the final dot and its answer.
"""

import asyncio
import base64
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

POINTS = ("connect", "helo", "starttls", "auth", "mail", "rcpt", "data", "body", "dot", "noted", "answered")


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens instead: `reply`, `close`, `silence`, `endless` replies, or a `drip` of single octets."""

    do: str
    text: str = ""


# Asked at each point with (point, recipient); the server goes on when it answers None.
Choose = Callable[[str, str], Fault | None]


@dataclass(frozen=True, slots=True)
class Noted:
    """A mail the server took, or would have: it is noted before the answer goes out."""

    recipient: str
    data: bytes

    @property
    def mail(self) -> EmailMessage:
        mail = message_from_bytes(self.data, policy=default)
        assert isinstance(mail, EmailMessage)
        return mail

    @property
    def message_id(self) -> str:
        return str(self.mail["Message-ID"])


class FaultyMailServer:
    """Listens on a free port of 127.0.0.1; `choose` may be replaced while it runs."""

    def __init__(
        self,
        extensions: Sequence[str] = ("PIPELINING", "8BITMIME", "SMTPUTF8"),
        tls: ssl.SSLContext | None = None,
        credentials: tuple[str, str] | None = None,
    ) -> None:
        self.choose: Choose = lambda point, recipient: None
        self.extensions = tuple(extensions)
        self.noted: list[Noted] = []
        self.envelopes: list[str] = []
        self.connections = 0
        self.open = self.most_open = 0
        self.port = 0
        self._tls = tls
        self._credentials = credentials
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="faulty-mail", daemon=True)

    def __enter__(self) -> "FaultyMailServer":
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**20, backlog=500)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        self._server.close()
        tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def copies(self) -> Counter[str]:
        """How often each recipient was written to."""
        return Counter(noted.recipient for noted in list(self.noted))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await _Conversation(self, reader, writer).run()
        except (ConnectionError, asyncio.IncompleteReadError, _Over):
            pass  # the client went away, or a fault ended it
        finally:
            self.open -= 1
            writer.close()


class _Over(Exception):
    """This conversation has ended."""


class _Conversation:
    def __init__(
        self, server: FaultyMailServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.recipient = ""
        self.sender = False
        self.secured = False

    async def run(self) -> None:
        await self.answer("connect", "220 recording")
        while True:
            line = (await self.reader.readuntil(b"\r\n")).decode("utf-8", "replace").strip()
            await self.command(line)

    async def command(self, line: str) -> None:
        verb = line[:4].upper()
        if verb == "EHLO":
            await self.answer("helo", "\r\n".join(self.hello()))
        elif verb == "STAR" and self.server._tls is not None:
            await self.answer("starttls", "220 go ahead")
            await self.writer.start_tls(self.server._tls)
            self.secured = True
        elif verb == "AUTH":
            await self.authenticate(line)
        elif verb == "MAIL":
            self.server.envelopes.append(line)
            self.sender = await self.answer("mail", "250 ok" if not self.sender else "503 nested MAIL")
        elif verb == "RCPT":
            address = line.partition("<")[2].partition(">")[0]
            text = "250 ok" if self.sender else "503 MAIL first"
            self.recipient = address if await self.answer("rcpt", text, address) else ""
        elif verb == "DATA":
            await self.data()
        elif verb == "RSET":
            self.sender, self.recipient = False, ""
            await self.say("250 ok")
        elif verb == "QUIT":
            await self.say("221 bye")
            raise _Over
        else:
            await self.say("500 what?")

    def hello(self) -> list[str]:
        lines = ["recording", *self.server.extensions]
        if self.server._tls is not None and not self.secured:
            lines.append("STARTTLS")
        if self.server._credentials is not None:
            lines.append("AUTH PLAIN LOGIN")
        return [f"250{' ' if n == len(lines) - 1 else '-'}{line}" for n, line in enumerate(lines)]

    async def authenticate(self, line: str) -> None:
        user, password = self.server._credentials or ("", "")
        expected = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        good = line == f"AUTH PLAIN {expected}"
        await self.answer("auth", "235 welcome" if good else "535 5.7.8 wrong credentials")

    async def data(self) -> None:
        if not self.recipient:
            await self.say("503 no valid recipients")
            return
        if not await self.answer("data", "354 go on"):
            return
        lines = [await self.reader.readuntil(b"\r\n")]
        await self.fault("body")
        while lines[-1] != b".\r\n":
            lines.append(await self.reader.readuntil(b"\r\n"))
        recipient = self.recipient
        self.sender, self.recipient = False, ""
        if not await self.fault("dot", recipient):
            return
        mail = b"".join(line.removeprefix(b".") for line in lines[:-1])
        self.server.noted.append(Noted(recipient, mail))
        if await self.fault("noted", recipient):
            await self.say("250 2.0.0 taken")
            await self.fault("answered", recipient)

    async def answer(self, point: str, text: str, recipient: str = "") -> bool:
        """Says a reply unless a fault says another; whether it was the good one."""
        if not await self.fault(point, recipient or self.recipient):
            return False
        await self.say(text)
        return text[0] in "23"

    async def fault(self, point: str, recipient: str = "") -> bool:
        """Whether all goes well at this point."""
        fault = self.server.choose(point, recipient or self.recipient)
        if fault is None:
            return True
        if fault.do == "reply":
            await self.say(fault.text)
            return False
        if fault.do == "silence":
            await self.reader.read()  # until the client has had enough
        elif fault.do == "endless":
            while True:
                await self.say("250-" + "and so on " * 50)
        elif fault.do == "drip":
            while True:
                self.writer.write(b"2")
                await self.writer.drain()
                await asyncio.sleep(0.05)
        raise _Over

    async def say(self, text: str) -> None:
        self.writer.write(text.encode() + b"\r\n")
        await self.writer.drain()
