"""Where the files of posters are: in a folder (folder.py) or on S3 (s3.py)."""

import re
from typing import Protocol

NAME = re.compile(r"[0-9a-f]{32}\.(png|jpg|gif|webp)", re.ASCII)


class PosterStorage(Protocol):
    """Files by a name of ours; every call has a deadline and raises StorageAway if it cannot be done."""

    def write(self, name: str, content: bytes, content_type: str) -> None:
        """Stores a file; whole, or not at all."""

    def read(self, name: str) -> bytes | None:
        """The file, None if there is none."""

    def remove(self, name: str) -> None:
        """Removes a file; one that is not there is as good."""

    def check(self) -> str | None:
        """Why nothing can be stored now, None if it can."""


def require_name(name: str) -> str:
    """The name, which is one that this service made: no path comes of it."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a poster")
    return name
