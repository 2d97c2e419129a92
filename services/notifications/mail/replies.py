"""Replies of a mail server out of its bytes (RFC 5321 4.2): bounded, whatever it sends."""

import re
from dataclasses import dataclass

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
            found = _LINE.fullmatch(line.rstrip(b"\r"))
            if found is None or len(line) > LINE_LIMIT:
                raise NoReply(f"not a reply: {line[:80].decode('ascii', 'replace')!r}")
            code, more, text = found.groups()
            self._lines.append(text or b"")
            if len(self._lines) > LINES_LIMIT:
                raise NoReply(f"a reply of more than {LINES_LIMIT} lines")
            if more != b"-":
                # PostgreSQL's text cannot hold U+0000.
                words = b"\n".join(self._lines).decode("utf-8", "replace").replace("\x00", "")
                self._lines.clear()
                replies.append(Reply(int(code), words))
        return replies
