"""The upload form, read as it comes: RFC 7578 with one file, which is refused at its first byte too many."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from shared.http import Invalid, Refusal

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_IMAGE_BYTES = 500_000
# The event's id, the headers of the parts, fields that nobody asked for.
_MAX_REST_BYTES = 64_000
_MAX_EVENT_BYTES = 200
_TOO_LARGE = f"is larger than {MAX_IMAGE_BYTES // 1000} kB"


class WrongType(Refusal):
    """The body is no form."""

    status, title = HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Unsupported Media Type"


async def read_form(request: Request) -> tuple[str, bytes]:
    """(event, image) of a multipart body; raises Invalid that names the field, WrongType.

    Holds at most the largest picture in memory and nothing on disk. What the client calls its file is not
    even read.
    """
    form = _Form()
    try:
        parser = MultipartParser(_boundary(request), form.callbacks())
        async for chunk in _bounded(request):
            parser.write(chunk)
    except FormParserError as error:
        raise Invalid(f"The form cannot be read: {error}.", {"body": ["is no multipart form"]}) from None
    except ClientDisconnect:
        form.is_whole = False
    if not form.is_whole:
        raise Invalid("The form ends before its last boundary.", {"body": ["is cut off"]})
    return form.values()


def _boundary(request: Request) -> bytes:
    type_, options = parse_options_header(request.headers.get("content-type", ""))
    if type_ != b"multipart/form-data":
        # A form without a file is sent so by many clients.
        if type_ in (b"", b"application/x-www-form-urlencoded"):
            raise Invalid.field("image", "no file was sent")
        raise WrongType("Send multipart/form-data.")
    if not options.get(b"boundary"):
        raise Invalid("The content type names no boundary.", {"body": ["has no boundary"]})
    return options[b"boundary"]


async def _bounded(request: Request) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_IMAGE_BYTES + _MAX_REST_BYTES:
            raise Invalid.field("image", _TOO_LARGE)
        yield chunk


@dataclass
class _Form:
    """What the parser has met so far."""

    event: bytearray | None = None
    image: bytearray | None = None
    image_is_file: bool = False
    is_whole: bool = False
    _header: tuple[bytearray, bytearray] = field(default_factory=lambda: (bytearray(), bytearray()))
    _part: bytearray | None = None
    _most: int = 0

    def callbacks(self) -> "MultipartCallbacks":
        """For MultipartParser."""
        return {
            "on_part_begin": self._begin_part,
            "on_header_begin": self._begin_header,
            "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_part_data": self._take,
            "on_end": self._end,
        }

    def values(self) -> tuple[str, bytes]:
        """(event, image); raises Invalid for what is missing."""
        if self.image is None or not self.image_is_file or not self.image:
            raise Invalid.field("image", "no file was sent")
        if not self.event:
            raise Invalid.field("event", "the event's id is required")
        return self.event.decode("utf-8", "replace").strip(), bytes(self.image)

    def _begin_part(self) -> None:
        self._part = None

    def _begin_header(self) -> None:
        self._header = (bytearray(), bytearray())

    def _end_header(self) -> None:
        name, value = self._header
        if bytes(name).strip().lower() != b"content-disposition":
            return
        _, options = parse_options_header(bytes(value))
        what = options.get(b"name")
        if what == b"image":
            self.image, self.image_is_file = self._only("image", self.image), b"filename" in options
            self._part, self._most = self.image, MAX_IMAGE_BYTES
        elif what == b"event":
            self.event = self._only("event", self.event)
            self._part, self._most = self.event, _MAX_EVENT_BYTES

    def _only(self, name: str, before: bytearray | None) -> bytearray:
        if before is not None:
            raise Invalid.field(name, "was sent more than once")
        return bytearray()

    def _take(self, data: bytes, start: int, end: int) -> None:
        if self._part is None:
            return
        self._part.extend(data[start:end])
        if len(self._part) > self._most:
            if self._part is self.image:
                raise Invalid.field("image", _TOO_LARGE)
            raise Invalid.field("event", "is not the id of an event")

    def _end(self) -> None:
        self.is_whole = True
