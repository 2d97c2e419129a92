"""Replies of a mail server out of its bytes (RFC 5321 4.2): bounded, whatever it sends."""

import re
from dataclasses import dataclass
from functools import lru_cache

LINE_LIMIT, LINES_LIMIT = 2048, 100
_LINE = re.compile(rb"([2-5]\d\d)(?:([ -])(.*))?", re.DOTALL)


class NoReply(Exception):
    """The server's bytes are no SMTP reply."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A code and the text of all its lines."""

    code: int
    text: str

    def __str__(self) -> str:
        return f"{self.code} {' '.join(self.text.split())}"


class ReplyReader:
    """Takes bytes as they come and gives whole replies."""

    def __init__(self) -> None:
        self._buffer = b""
        self._lines: list[bytes] = []

    @property
    def empty(self) -> bool:
        """Whether nothing is left over."""
        return not self._buffer and not self._lines

    def feed(self, data: bytes) -> list[Reply]:
        """The replies that are complete now; raises NoReply for what can be none, or has no end."""
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        if len(self._buffer) > LINE_LIMIT:
            raise NoReply(f"a line of more than {LINE_LIMIT} octets")
        replies = []
        for line in lines:
            if not self._lines and (whole := _whole(line)) is not None:
                replies.append(whole)
                continue
            found = _LINE.fullmatch(line.rstrip(b"\r"))
            if found is None or len(line) > LINE_LIMIT:
                raise NoReply(f"not a reply: {line[:80].decode('ascii', 'replace')!r}")
            code, more, text = found.groups()
            self._lines.append(text or b"")
            if len(self._lines) > LINES_LIMIT:
                raise NoReply(f"a reply of more than {LINES_LIMIT} lines")
            if more != b"-":
                replies.append(Reply(int(code), _text(b"\n".join(self._lines))))
                self._lines.clear()
        return replies


# To MAIL, RCPT and DATA a server says the same thousands of times.
@lru_cache(maxsize=64)
def _whole(line: bytes) -> Reply | None:
    """A reply of one line; None for one of several lines, and for what is none."""
    found = _LINE.fullmatch(line.rstrip(b"\r"))
    if found is None or len(line) > LINE_LIMIT or found.group(2) == b"-":
        return None
    return Reply(int(found.group(1)), _text(found.group(3) or b""))


def _text(words: bytes) -> str:
    # PostgreSQL's text cannot hold U+0000.
    return words.decode("utf-8", "replace").replace("\x00", "")
