"""The mails that came, newest last; in memory and bounded, gone with the process."""

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import default
from typing import Any

KEPT = 5000


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as it came, with the addresses of its envelope."""

    id: str
    created: datetime
    sender: str
    recipients: tuple[str, ...]
    source: bytes

    def parsed(self) -> EmailMessage:
        message = message_from_bytes(self.source, policy=default)
        assert isinstance(message, EmailMessage), "the default policy makes EmailMessages"
        return message


class Mailbox:
    """Keeps the newest 5,000 mails; safe for several threads."""

    def __init__(self) -> None:
        self._mails: OrderedDict[str, Mail] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, sender: str, recipients: list[str], source: bytes) -> Mail:
        """Keeps a mail, and forgets the oldest one when there are too many."""
        mail = Mail(secrets.token_hex(11), datetime.now(UTC), sender, tuple(recipients), source)
        with self._lock:
            self._mails[mail.id] = mail
            if len(self._mails) > KEPT:
                self._mails.popitem(last=False)
        return mail

    def find(self, id_: str) -> Mail | None:
        with self._lock:
            return self._mails.get(id_)

    def newest(self, start: int, limit: int) -> tuple[list[Mail], int]:
        """(mails from `start` on, newest first; how many there are)."""
        with self._lock:
            mails = list(reversed(self._mails.values()))
        return mails[start : start + limit], len(mails)

    def clear(self) -> None:
        with self._lock:
            self._mails.clear()


def summary(mail: Mail) -> dict[str, Any]:
    """A mail as Mailpit lists it (https://mailpit.axllent.org/docs/api-v1/)."""
    message = mail.parsed()
    to = _addresses(message, "To") or [{"Name": "", "Address": address} for address in mail.recipients]
    senders = _addresses(message, "From") or [{"Name": "", "Address": mail.sender}]
    return {
        "ID": mail.id,
        "MessageID": str(message["Message-ID"] or "").strip("<>"),
        "From": senders[0],
        "To": to,
        "Subject": str(message["Subject"] or ""),
        "Created": mail.created.isoformat().replace("+00:00", "Z"),
        "Size": len(mail.source),
    }


def details(mail: Mail) -> dict[str, Any]:
    """A mail with its text and HTML."""
    message = mail.parsed()
    return {
        **summary(mail),
        "Date": str(message["Date"] or ""),
        "Text": _body(message, "plain"),
        "HTML": _body(message, "html"),
    }


def _addresses(message: EmailMessage, header: str) -> list[dict[str, str]]:
    found: tuple[Address, ...] = getattr(message[header], "addresses", ())
    return [{"Name": address.display_name, "Address": address.addr_spec} for address in found]


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return "" if part is None else part.get_content()
