"""What is a picture, and what only says so."""

import random
import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from services.events import pictures
from services.events.errors import FieldInvalid


def picture(format_: str, size: tuple[int, int] = (40, 30), frames: int = 1) -> bytes:
    out = BytesIO()
    images = [Image.new("RGB", size, (n * 40 % 256, 90, 10)) for n in range(frames)]
    more = {"save_all": True, "append_images": images[1:], "duration": 50} if frames > 1 else {}
    images[0].save(out, format_, **more)
    return out.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and has next to no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0"))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("format_", sorted(pictures.FORMATS))
def test_a_picture_is_what_its_content_says(format_: str) -> None:
    assert pictures.sniff(picture(format_)) == pictures.FORMATS[format_]


@pytest.mark.parametrize("format_", ["GIF", "WEBP", "PNG"])
def test_an_animation_is_a_picture_too(format_: str) -> None:
    assert pictures.sniff(picture(format_, frames=3)) == pictures.FORMATS[format_]


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"RIFF\0\0\0\0WEBP", b"<svg/>",
     b"<html><script>alert(1)</script>", b"%PDF-1.7", picture("BMP"), picture("TIFF"), picture("ICO")],
)  # fmt: skip
def test_what_is_no_such_picture_is_refused(content: bytes) -> None:
    with pytest.raises(FieldInvalid, match="image"):
        pictures.sniff(content)


@pytest.mark.parametrize("format_", sorted(pictures.FORMATS))
def test_a_picture_that_is_cut_off_is_refused(format_: str) -> None:
    whole = picture(format_, (300, 200))
    for share in (0.2, 0.5, 0.9):
        with pytest.raises(FieldInvalid):
            pictures.sniff(whole[: int(len(whole) * share)])


@pytest.mark.parametrize("size", [(4001, 4000), (16_001, 1), (1, 16_001), (2**31 - 1, 2**31 - 1)])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def decoded(_: bytes) -> None:
        raise AssertionError("it was decoded")

    monkeypatch.setattr(pictures, "_decode", decoded)
    with pytest.raises(FieldInvalid):
        pictures.sniff(png_header(*size))


def test_an_animation_with_more_pixels_in_all_than_may_be_is_refused() -> None:
    with pytest.raises(FieldInvalid, match="frames"):
        pictures.sniff(picture("GIF", (2000, 2000), frames=5))


def test_broken_bytes_are_refused_or_a_picture_and_nothing_else() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - pytest shows it when it fails
    chance = random.Random(seed)
    for format_ in pictures.FORMATS:
        whole = picture(format_, frames=2 if format_ in ("GIF", "WEBP", "PNG") else 1)
        for _ in range(150):
            broken = bytearray(whole)
            for _ in range(chance.randint(1, 6)):
                broken[chance.randrange(len(broken))] = chance.randrange(256)
            try:
                assert pictures.sniff(bytes(broken)) in pictures.FORMATS.values()
            except FieldInvalid as error:
                assert error.field == "image"  # noqa: PT017 - either way is right
