"""What a poster's bytes really are. Pure."""

import struct
import warnings
from io import BytesIO

from PIL import Image

from services.events.errors import FieldInvalid

FIELD = "image"
# 500 kB of a picture of one colour can be gigabytes of pixels: https://en.wikipedia.org/wiki/Zip_bomb.
# Of all frames together; a page of A4 at 300 dots to the inch has 8.7 million.
MAX_PIXELS = 16_000_000
MAX_SIDE = 16_000
# Pillow's name of a format: (media type, ending of file names)
FORMATS = {
    "PNG": ("image/png", "png"),
    "JPEG": ("image/jpeg", "jpg"),
    "GIF": ("image/gif", "gif"),
    "WEBP": ("image/webp", "webp"),
}
# What Pillow's decoders raise on broken bytes, seen by feeding them such: see tests/unit/test_pictures.py.
_BROKEN = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, AttributeError,
    OverflowError, AssertionError, struct.error, Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip


def sniff(content: bytes) -> tuple[str, str]:
    """(media type, ending) of a whole picture; raises FieldInvalid for anything else.

    The number of pixels is judged from the header, before anything is decoded.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            format_ = _check_size(content)
            _decode(content)
    except _BROKEN:
        raise FieldInvalid(FIELD, "is not a whole PNG, JPEG, GIF or WebP picture") from None
    return FORMATS[format_]


def _check_size(content: bytes) -> str:
    with Image.open(BytesIO(content), formats=list(FORMATS)) as picture:
        width, height = picture.size
        frames = getattr(picture, "n_frames", 1)
        if max(width, height) > MAX_SIDE or width * height * frames > MAX_PIXELS:
            size = f"{width} x {height} pixels" + (f" in {frames} frames" if frames > 1 else "")
            raise FieldInvalid(FIELD, f"has {size}; {MAX_PIXELS:,} in all are the most")
        picture.verify()
        return str(picture.format)


def _decode(content: bytes) -> None:
    # verify() leaves an object that cannot be read any more.
    with Image.open(BytesIO(content), formats=list(FORMATS)) as picture:
        for frame in range(getattr(picture, "n_frames", 1)):
            picture.seek(frame)
            picture.load()
