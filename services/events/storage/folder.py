"""Posters in a folder."""

import os
from pathlib import Path
from uuid import uuid4

from services.events.errors import StorageAway
from services.events.storage import require_name

_AWAY = "The folder of the posters cannot be used now."


class FolderStorage:
    """One file for each poster, flat in `folder`, which is made when it is needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, name: str, content: bytes, content_type: str) -> None:
        path = self._path(name)
        draft = path.with_name(f".{name}.{uuid4().hex}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                with draft.open("xb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(path)
            finally:
                draft.unlink(missing_ok=True)
        except OSError as error:
            raise StorageAway(_AWAY) from error

    def read(self, name: str) -> bytes | None:
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageAway(_AWAY) from error

    def remove(self, name: str) -> None:
        try:
            self._path(name).unlink(missing_ok=True)
        except NotADirectoryError:
            return
        except OSError as error:
            raise StorageAway(_AWAY) from error

    def check(self) -> str | None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            return f"{error.strerror}: POSTER_DIR"
        return None if os.access(self._folder, os.W_OK | os.X_OK) else "POSTER_DIR cannot be written"

    def _path(self, name: str) -> Path:
        return self._folder / require_name(name)
