"""One conversation with a mail server (RFC 5321), step by step: what a break means depends on the step.

MAIL, RCPT and DATA go out in one write where the server offers PIPELINING (RFC 2920); each reply is checked;
the body follows only after 354, the next mail only after the answer to this one. A mail costs no task and no
future: this is the inner loop of everything.
"""

import asyncio
from collections.abc import Callable
from enum import Enum, auto
from typing import cast

from services.notifications.mail.replies import NoReply, Reply, ReplyReader
from services.notifications.model import Answer

Done = Callable[["Session", Answer], None]


class Step(Enum):
    """Where in a mail the conversation is."""

    IDLE = auto()
    ENVELOPE = auto()
    BODY = auto()


class Session(asyncio.Protocol):
    """Opened by services.notifications.mail.smtp. One mail at a time; `done` is called with its answer."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._reader = ReplyReader()
        self._transport: asyncio.Transport | None = None
        self._reply: asyncio.Future[Reply] | None = None
        self._early: list[Reply] = []
        self._step = Step.IDLE
        self._commands: list[bytes] = []
        self._at = 0
        self._refused: Reply | None = None
        self._heard = False
        self._reset = False
        self._body = b""
        self._done: Done | None = None
        self._patience = 0.0
        self.broken: str | None = None
        self.extensions: dict[str, str] = {}
        self.mails = 0
        self.opened_at = self.used_at = loop.time()
        self.deadline: float | None = None

    # -- opening: commands one by one ----------------------------------------------------------------------

    async def reply(self) -> Reply:
        """The next reply; raises ConnectionError when the connection breaks first."""
        if self._early:
            return self._early.pop(0)
        if self.broken is not None:
            raise ConnectionError(self.broken)
        self._reply = self._loop.create_future()
        return await self._reply

    async def command(self, line: bytes) -> Reply:
        """Says a line and waits for what the server says to it."""
        self._write(line + b"\r\n")
        return await self.reply()

    @property
    def silent(self) -> bool:
        """Whether the server has said nothing that was not asked for."""
        return self._reader.empty and not self._early

    @property
    def transport(self) -> asyncio.Transport:
        """The open transport."""
        if self._transport is None:
            raise ConnectionError("not connected")
        return self._transport

    def secured(self, transport: asyncio.Transport) -> None:
        """From now on everything goes through TLS."""
        self._transport = transport

    # -- a mail --------------------------------------------------------------------------------------------

    def send(self, commands: list[bytes], body: bytes, patience: tuple[float, float], done: Done) -> None:
        """Hands one mail over: `commands` are MAIL, RCPT and DATA, `body` is dot-stuffed and ends with the
        dot, `patience` is how many seconds the envelope and then the final answer may take.
        """
        self._commands = [b"RSET\r\n", *commands] if self._reset else commands
        self._at, self._refused, self._heard, self._reset = 0, None, False, False
        self._body, self._done, self._patience = body, done, patience[1]
        self._step = Step.ENVELOPE
        self.deadline = self._loop.time() + patience[0]
        if "PIPELINING" in self.extensions:
            self._write(b"".join(self._commands))
        else:
            self._write(self._commands[0])

    def _envelope_reply(self, reply: Reply) -> None:
        self._heard = True
        last = self._at == len(self._commands) - 1
        self._at += 1
        if reply.code == 421:
            self._finish(reply)
            self.close()
        elif not last:
            if reply.code >= 300 and self._refused is None:
                self._refused = reply
            if "PIPELINING" not in self.extensions:
                if self._refused is None:
                    self._write(self._commands[self._at])
                else:
                    self._finish(self._refused)
        elif reply.code != 354:
            self._finish(self._refused or reply)
        elif self._refused is not None:
            # RFC 2920 3.1: a server may say 354 although it took no recipient; it gets an empty mail.
            self._write(b".\r\n")
            self._step = Step.BODY
        else:
            self._step = Step.BODY
            self.deadline = self._loop.time() + self._patience
            self._write(self._body)

    def _finish(self, reply: Reply) -> None:
        # A refused envelope is still open at the server; the next mail begins with RSET.
        self._reset = self._step is Step.ENVELOPE
        self.mails += 1
        self._settle(Answer(reply.code, reply.text))

    def _settle(self, answer: Answer) -> None:
        done, self._done = self._done, None
        self._step, self._body, self.deadline = Step.IDLE, b"", None
        self.used_at = self._loop.time()
        if done is not None:
            done(self, answer)

    # -- asyncio -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only

    def data_received(self, data: bytes) -> None:
        try:
            replies = self._reader.feed(data)
        except NoReply as error:
            self.abort(str(error))
            return
        for reply in replies:
            if self.broken is not None:
                return
            self._take(reply)

    def _take(self, reply: Reply) -> None:
        if self._step is Step.ENVELOPE:
            self._envelope_reply(reply)
        elif self._step is Step.BODY:
            self._finish(self._refused or reply)
            if reply.code == 421:
                self.close()
        elif self._reply is not None and not self._reply.done():
            self._reply.set_result(reply)
            self._reply = None
        elif not self.mails and len(self._early) < 10:
            self._early.append(reply)
        else:
            # Usually "421 idle for too long".
            self.abort(f"the server said {reply} unasked")

    def connection_lost(self, exc: Exception | None) -> None:
        self._break(f"the connection was lost: {exc}" if exc else "the server closed the connection")

    def _break(self, why: str) -> None:
        if self.broken is not None:
            return
        self.broken = why
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(ConnectionError(why))
        if self._step is Step.BODY and self._refused is None:
            self._settle(Answer(0, f"{why}, after the mail and before the answer"))
        elif self._step is not Step.IDLE:
            untried = not self._heard and self.mails > 0
            text = str(self._refused) if self._refused else why
            code = self._refused.code if self._refused else 450
            self._settle(Answer(code, text, lost=self._refused is None, untried=untried))

    def abort(self, why: str) -> None:
        """Ends the connection at once; a mail on it gets the answer that this means."""
        self._break(why)
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Says goodbye without waiting for an answer. No mail may be on its way."""
        if self.broken is None:
            self.broken = "closed"
            self._write(b"QUIT\r\n")
            if self._transport is not None:
                self._transport.close()

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)
