"""Every mail that the mail server took, as facts: noted before the server's answer, with its time."""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy

from icalendar import Calendar

from shared.testing import Fault, FaultyMailServer

_KINDS = (
    ("reminder", ("Reminder: ", "Pengingat: ")),
    ("confirmation", ("Your ticket for ", "Tiket Anda untuk ")),
    ("moved", ("Moved: ", "Dipindahkan: ", "Takes place after all: ", "Jadi berlangsung: ")),
    ("cancelled", ("Cancelled: ", "Dibatalkan: ")),
)
_CONFIRMS = ("Your order is confirmed.", "Pesanan Anda telah dikonfirmasi.")
_CODES = re.compile(r"^(?:Your ticket|Tiket Anda): +(.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as its reader gets it. `at` is when it came, `starts_at` what its calendar entry says; both in
    seconds of the epoch, `at` by the clock of notifications.
    """

    at: float
    address: str
    message_id: str
    kind: str
    event_id: str
    sequence: int
    starts_at: float
    location: str
    confirms: bool
    codes: tuple[str, ...]


def delivery_of(message_id: str) -> int:
    """The id in the ledger of the delivery that a mail belongs to."""
    return int(message_id.strip("<>").partition(".")[0])


def read_mail(at: float, address: str, raw: bytes) -> Mail:
    """What a mail says; raises ValueError for one that is none of ours."""
    mail = message_from_bytes(raw, policy=policy.default)
    subject = str(mail["Subject"]).strip()
    kinds = [kind for kind, starts in _KINDS if subject.startswith(starts)]
    if not kinds:
        raise ValueError(f"a mail of no known kind: {subject!r}")
    [entry] = [part for part in mail.walk() if part.get_content_type() == "text/calendar"]
    [event] = Calendar.from_ical(entry.get_payload(decode=True)).walk("VEVENT")
    text = mail.get_body(("plain",)).get_content().replace("\r", "")
    codes = _CODES.search(text)
    starts_at: datetime = event["DTSTART"].dt
    return Mail(
        at=at,
        address=address,
        message_id=str(mail["Message-ID"]),
        kind=kinds[0],
        event_id=str(event["UID"]).partition("@")[0],
        sequence=int(event["SEQUENCE"]),
        starts_at=starts_at.astimezone(UTC).timestamp(),
        location=str(event.get("LOCATION", "")),
        confirms=kinds[0] == "confirmation" or any(words in text for words in _CONFIRMS),
        codes=tuple(ticket.partition(" (")[0] for ticket in codes[1].split(", ")) if codes else (),
    )


class Mailroom:
    """A mail server and what it took."""

    def __init__(self) -> None:
        self.server = FaultyMailServer()
        self.clock: Callable[[], float] = time.time
        self._lock = threading.Lock()
        self._raw: list[tuple[float, str, bytes]] = []
        self.count = 0

    def __enter__(self) -> "Mailroom":
        self.server.choose = self._note
        self.server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.__exit__(None, None, None)

    def _note(self, point: str, recipient: str) -> Fault | None:
        # At this point the mail was just noted, and its answer has not gone out.
        if point == "noted":
            noted = self.server.noted.pop()
            with self._lock:
                self._raw.append((self.clock(), noted.recipient, noted.data))
                self.count += 1
        return None

    def take(self) -> list[Mail]:
        """The mails that came since the last time."""
        with self._lock:
            raw, self._raw = self._raw, []
        return [read_mail(*mail) for mail in raw]
