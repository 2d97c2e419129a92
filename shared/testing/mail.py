"""A real SMTP server that keeps what it took and answers what it is told to."""

import threading
from asyncio.base_events import Server
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller


class _FreePortController(Controller):
    """Takes the port that the system gave it, before it tries whether it answers there."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, Server), "start() made it"
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


class RecordingMailServer:
    """Listens on a free port of 127.0.0.1. `answers` maps an address to the reply its RCPT gets."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.answers: dict[str, str] = {}
        self._recipients: list[str] = []
        self._changed = threading.Condition()
        self._controller = _FreePortController(self, hostname="127.0.0.1", port=0, ready_timeout=10)

    @property
    def port(self) -> int:
        return self._controller.port

    def __enter__(self) -> "RecordingMailServer":
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    def addresses(self) -> list[str]:
        """To whom mail came, in order."""
        with self._changed:
            return [mail["To"].addresses[0].addr_spec for mail in self.mails]

    def recipients(self) -> list[str]:
        """Each RCPT of each mail that was taken, in order."""
        with self._changed:
            return list(self._recipients)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd calls hooks by the SMTP verb
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - as above
        mail = message_from_bytes(envelope.content, policy=default)
        assert isinstance(mail, EmailMessage)
        with self._changed:
            self.mails.append(mail)
            self._recipients += envelope.rcpt_tos
        return "250 2.0.0 taken"
