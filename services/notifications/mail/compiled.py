"""A mail of which most is the same for thousands: serialised once, then only filled in.

`EmailMessage` costs a millisecond for each recipient; a filled template costs microseconds. The master
mail is a whole `EmailMessage` with `hole("name")` where a recipient's own text comes.
"""

import binascii
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from functools import lru_cache
from hashlib import sha256
from html import escape
from textwrap import wrap
from typing import Self

LINE_LIMIT = 998  # RFC 5322 2.1.1, without CRLF

# Marks differ in each process and have one length: no event's text can hold one, and they move no line break.
_SECRET = secrets.token_hex(6)
_NAME_LENGTH = 14
_MARK = re.compile(rf"HOLE{_SECRET}([a-z0-9]{{{_NAME_LENGTH}}})")
_MARK_BYTES = re.compile(
    b"(?:=\r\n)?".join(bytes([c]) for c in f"HOLE{_SECRET}".encode())
    + rb"((?:(?:=\r\n)?[a-z0-9]){%d})" % _NAME_LENGTH
)
_WIRE = SMTP.clone(cte_type="7bit")
_UNSTRUCTURED = ("subject", "comments")

# C0 and C1 controls, line separators, and what turns the direction of text around (it would disguise a name).
_BIDI = "\u202a-\u202e\u2066-\u2069"
_NOT_IN_BODY = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_BIDI}\ud800-\udfff\ufffe\uffff]")
_NOT_IN_HEADER = re.compile(f"[\x00-\x20\x7f-\x9f\xa0\u2028\u2029{_BIDI}\ud800-\udfff\ufffe\uffff]+")
_NOT_IN_ADDRESS = re.compile(r'[<>,;"()\[\]\\:]')
# What mailbox() has nothing to do to.
_PLAIN_MAILBOX = re.compile(r"[A-Za-z0-9]+(?: [A-Za-z0-9]+)*\0[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+")
_MARKUP = re.compile("[&<>\"']")
_PLAIN_WORDS = re.compile(r"[A-Za-z0-9 !#$%&'*+/=?^_`{|}~-]*")

Encoder = Callable[[Mapping[str, str]], bytes]


def hole(name: str) -> str:
    """A mark, in a header or body of a master mail, in whose place each recipient's own text comes.

    `name` is up to 14 lower-case letters and underscores.
    """
    packed = name.replace("_", "0")
    if not re.fullmatch(r"[a-z0]{1,14}", packed):
        raise ValueError(f"{name!r} is no name of a hole")
    return f"HOLE{_SECRET}{packed.ljust(_NAME_LENGTH, '9')}"


def one_line(text: str) -> str:
    """A text for a header: white space and controls in one space, nothing that turns its direction."""
    if _is_plain(text) and "  " not in text:
        return text.strip()
    return _NOT_IN_HEADER.sub(" ", text).strip()


def many_lines(text: str) -> str:
    """A text for a body: line feeds and tabs stay, other controls go."""
    if _is_plain(text):
        return text
    return _NOT_IN_BODY.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\x85", "\n"))


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


def quoted_printable(text: str) -> bytes:
    """RFC 2045 6.7, in CRLF lines of at most 76 octets."""
    return binascii.b2a_qp(text.encode(), istext=True).replace(b"\n", b"\r\n")


def header_text(text: str, limit: int = 60) -> bytes:
    """An unstructured header's text: as it is, or in encoded words (RFC 2047), folded.

    No line is longer than `limit` characters, or 75 in encoded words, and none is empty.
    """
    clean = one_line(text)
    if not clean.isascii() or "=?" in clean:
        return _encoded_words(clean)
    if len(clean) <= limit:
        return clean.encode()
    lines = wrap(clean, limit, break_long_words=False, break_on_hyphens=False)
    return "\r\n ".join(lines).encode() if max(map(len, lines)) <= limit else _encoded_words(clean)


def mailbox(name: str, address: str) -> bytes:
    """`display name <address>` (RFC 5322 3.4); raises ValueError for an address that would break out.

    An address that is not ASCII stays UTF-8 and needs SMTPUTF8 (RFC 6532).
    """
    if len(name) + len(address) < 60 and _PLAIN_MAILBOX.fullmatch(f"{name}\0{address}"):
        return f"{name} <{address}>".encode()
    spec = address.strip()
    if not spec or len(spec) > 320 or _NOT_IN_HEADER.search(spec) or _NOT_IN_ADDRESS.search(spec):
        raise ValueError(f"{address!r} is not an address that can be written to")
    clean = one_line(name)[:200]
    if not clean:
        return spec.encode()
    if not clean.isascii() or len(clean) > 60 or "=?" in clean:
        return _encoded_words(clean) + b"\r\n <" + spec.encode() + b">"
    if not _PLAIN_WORDS.fullmatch(clean):
        clean = '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'
    separator = b" <" if len(clean) + len(spec) < 65 else b"\r\n <"
    return clean.encode() + separator + spec.encode() + b">"


def _encoded_words(text: str) -> bytes:
    words, piece = [], b""
    for character in text:
        octets = character.encode()
        if len(piece) + len(octets) > 45:
            words.append(piece)
            piece = b""
        piece += octets
    words.append(piece)
    return b"\r\n ".join(b"=?utf-8?b?" + binascii.b2a_base64(w, newline=False) + b"?=" for w in words)


@dataclass(frozen=True, slots=True)
class CompiledMail:
    """`head`, then for each hole its encoder and what stands behind it."""

    head: bytes
    rest: tuple[tuple[Encoder, bytes], ...]

    @classmethod
    def of(cls, mail: EmailMessage) -> Self:
        """Cuts a master mail at its holes, and uses it up: copying it would cost more than all the rest.

        Raises ValueError for one with a line longer than 998 octets.
        """
        pieces: list[bytes | Encoder] = []
        for name, value in list(mail.items()):
            text = str(value)
            # The library may begin a subject that it folds with an empty line: some readers show none then.
            if _MARK.search(text) or name.lower() in _UNSTRUCTURED:
                del mail[name]
                pieces += [f"{name}: ".encode(), *_header(name.lower(), text), b"\r\n"]
        html = [_open_part(part) for part in mail.walk() if _has_hole(part)]
        _name_boundaries(mail)
        pieces += _body(mail.as_bytes(policy=_WIRE), html)
        return cls(*_joined(pieces))

    def fill(self, values: Mapping[str, str]) -> bytes:
        """The mail of one recipient: CRLF lines of at most 998 octets, not dot-stuffed, 7-bit unless its
        address is not ASCII. Raises KeyError for a missing value, ValueError for one that cannot stand there.
        """
        parts = [self.head]
        for encoder, segment in self.rest:
            parts += (encoder(values), segment)
        return b"".join(parts)


def _header(header: str, text: str) -> Iterable[bytes | Encoder]:
    pieces = _MARK.split(text)
    names = [_unpacked(name) for name in pieces[1::2]]
    if header in _UNSTRUCTURED:
        literals = pieces[::2]
        if not names:
            yield header_text(text)
            return
        yield lambda values: header_text(
            literals[0] + "".join(values[n] + t for n, t in zip(names, literals[1:], strict=True))
        )
        return
    for position, piece in enumerate(pieces):
        if position % 2 == 0:
            yield piece.encode("ascii")
        elif names[position // 2] == "to":
            yield lambda values: mailbox(values["name"], values["address"])
        else:
            yield _visible(names[position // 2])


def _visible(name: str) -> Encoder:
    def encode(values: Mapping[str, str]) -> bytes:
        value = values[name]
        if len(value) > LINE_LIMIT - 100 or not _is_plain(value):
            raise ValueError(f"{value[:80]!r} cannot stand in a header")
        return value.encode()

    return encode


def _has_hole(part: EmailMessage) -> bool:
    return part.get_content_maintype() == "text" and bool(_MARK.search(part.get_content()))


def _open_part(part: EmailMessage) -> bool:
    """Makes a part quoted-printable, in which any text can be filled in; True for one of HTML."""
    subtype = part.get_content_subtype()
    if part["Content-Transfer-Encoding"] == "quoted-printable":
        return subtype == "html"
    kept = [(k, v) for k, v in part.items() if k.lower() in ("content-language", "content-id")]
    part.set_content(part.get_content(), subtype=subtype, charset="utf-8", cte="quoted-printable")
    for name, value in kept:
        if name not in part:
            part[name] = value
    return subtype == "html"


def _name_boundaries(mail: EmailMessage) -> None:
    # `=_` stands in no quoted-printable and no base64 text. A boundary of the library's own choice would
    # differ with each attempt.
    leaves = "".join(str(part.get_payload()) for part in mail.walk() if not part.is_multipart())
    digest = sha256(_MARK.sub("", leaves.replace("=\n", "")).encode("utf-8", "surrogatepass")).hexdigest()
    for number, part in enumerate(mail.walk()):
        if part.is_multipart():
            part.set_boundary(f"=_{number}_{digest[:32]}")


def _body(raw: bytes, html: list[bool]) -> Iterable[bytes | Encoder]:
    """The serialised rest. Holes of the n-th open part are HTML if `html[n]`: parts end at their boundary."""
    if not raw.endswith(b"\r\n"):
        raw += b"\r\n"
    part, seen_end = -1, -1
    position = 0
    for mark in _MARK_BYTES.finditer(raw):
        if mark.start() > seen_end:
            part += 1
            boundary = raw.find(b"\r\n--=_", mark.end())
            seen_end = len(raw) if boundary < 0 else boundary
        yield raw[position : mark.start()] + b"=\r\n"
        name = _unpacked(mark.group(1).replace(b"=\r\n", b"").decode())
        yield _html(name) if html[part] else _plain(name)
        yield b"=\r\n"
        position = mark.end()
    yield raw[position:]


def _plain(name: str) -> Encoder:
    return lambda values: _body_text(values[name])


def _html(name: str) -> Encoder:
    return lambda values: _body_text(_escaped(values[name]))


# A recipient's words stand in the text and in the HTML, one after the other.
@lru_cache(maxsize=32)
def _body_text(text: str) -> bytes:
    return quoted_printable(many_lines(text))


def _escaped(text: str) -> str:
    return escape(text) if _MARKUP.search(text) else text


def _unpacked(name: str) -> str:
    return name.rstrip("9").replace("0", "_")


def _joined(pieces: Iterable[bytes | Encoder]) -> tuple[bytes, tuple[tuple[Encoder, bytes], ...]]:
    segments, encoders = [b""], []
    for piece in pieces:
        if isinstance(piece, bytes):
            segments[-1] += piece
        else:
            encoders.append(piece)
            segments.append(b"")
    if any(len(line) > LINE_LIMIT for segment in segments for line in segment.split(b"\r\n")):
        raise ValueError(f"a line of the mail is longer than {LINE_LIMIT} octets")
    return segments[0], tuple(zip(encoders, segments[1:], strict=True))
