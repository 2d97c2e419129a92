"""The mails that came, newest last: bounded, in a SQLite file that outlives the process."""

import json
import secrets
import sqlite3
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage, Message
from email.parser import BytesHeaderParser
from email.policy import default
from functools import lru_cache
from pathlib import Path
from typing import Any

KEPT = 5000

_TABLE = """
CREATE TABLE IF NOT EXISTS mails (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, created TEXT NOT NULL,
    sender TEXT NOT NULL, recipients TEXT NOT NULL, source BLOB NOT NULL
)
"""


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
    """Keeps the newest `kept` mails in a file, or in memory without one; safe for several threads."""

    def __init__(self, file: Path | None = None, kept: int = KEPT) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._database = sqlite3.connect(file or ":memory:", isolation_level=None, check_same_thread=False)
        # With a write-ahead log a committed mail survives kill -9 without waiting for the disk each time.
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute(_TABLE)

    def add(self, sender: str, recipients: list[str], source: bytes) -> Mail:
        """Keeps a mail, and forgets the oldest one when there are too many."""
        mail = Mail(secrets.token_hex(11), datetime.now(UTC), sender, tuple(recipients), source)
        row = (mail.id, mail.created.isoformat(), sender, json.dumps(recipients), source)
        with self._lock, self._database:
            self._database.execute("BEGIN")
            number = self._database.execute(
                "INSERT INTO mails (id, created, sender, recipients, source) VALUES (?, ?, ?, ?, ?)", row
            ).lastrowid
            # Numbers have no gaps but by `clear`, so this is one mail at most.
            self._database.execute("DELETE FROM mails WHERE number <= ?", ((number or 0) - self._kept,))
        return mail

    def find(self, id_: str) -> Mail | None:
        with self._lock:
            query = "SELECT id, created, sender, recipients, source FROM mails WHERE id = ?"
            row = self._database.execute(query, (id_,)).fetchone()
        return _mail(row) if row else None

    def newest(self, start: int, limit: int) -> tuple[list[Mail], int]:
        """(mails from `start` on, newest first; how many there are)."""
        with self._lock:
            rows = self._database.execute(
                "SELECT id, created, sender, recipients, source FROM mails "
                "ORDER BY number DESC LIMIT ? OFFSET ?",
                (limit, start),
            ).fetchall()
            [total] = self._database.execute("SELECT count(*) FROM mails").fetchone()
        return [_mail(row) for row in rows], total

    def clear(self) -> None:
        with self._lock:
            self._database.execute("DELETE FROM mails")

    def close(self) -> None:
        with self._lock:
            self._database.close()


def _mail(row: tuple[str, str, str, str, bytes]) -> Mail:
    id_, created, sender, recipients, source = row
    return Mail(id_, datetime.fromisoformat(created), sender, tuple(json.loads(recipients)), source)


def summary(mail: Mail) -> dict[str, Any]:
    """A mail as Mailpit lists it (https://mailpit.axllent.org/docs/api-v1/)."""
    head, _, _ = mail.source.partition(b"\r\n\r\n")
    message = _headers(head)
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


# Who waits for a mail reads the list again and again, and meanwhile no mail is taken.
@lru_cache(maxsize=KEPT)
def _headers(head: bytes) -> Message:
    return BytesHeaderParser(policy=default).parsebytes(head)


def details(mail: Mail) -> dict[str, Any]:
    """A mail with its text and HTML."""
    message = mail.parsed()
    return {
        **summary(mail),
        "Date": str(message["Date"] or ""),
        "Text": _body(message, "plain"),
        "HTML": _body(message, "html"),
    }


def _addresses(message: Message, header: str) -> list[dict[str, str]]:
    found: tuple[Address, ...] = getattr(message[header], "addresses", ())
    return [{"Name": address.display_name, "Address": address.addr_spec} for address in found]


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return "" if part is None else part.get_content()
