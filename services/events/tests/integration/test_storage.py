"""One suite for both storages: a folder, and S3 as moto's server speaks it."""

import socket
from pathlib import Path

import pytest

from services.events.errors import StorageAway
from services.events.storage import PosterStorage
from services.events.storage.folder import FolderStorage
from services.events.tests.integration.conftest import on_s3

NAME = "0123456789abcdef0123456789abcdef.png"


@pytest.fixture(params=["folder", "s3"])
def away(request: pytest.FixtureRequest, tmp_path: Path) -> PosterStorage:
    """A storage that cannot be reached: a file where the folder should be, a port where nobody listens."""
    if request.param == "folder":
        (tmp_path / "file").write_text("x")
        return FolderStorage(tmp_path / "file" / "posters")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    return on_s3(url, "posters")


def test_what_was_written_is_read_until_it_is_removed(storage: PosterStorage) -> None:
    assert storage.check() is None
    assert storage.read(NAME) is None
    storage.remove(NAME)
    for content in (b"first", b"second" * 80_000):
        storage.write(NAME, content, "image/png")
        assert storage.read(NAME) == content
    assert storage.check() is None
    for _ in range(2):
        storage.remove(NAME)
        assert storage.read(NAME) is None


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "/etc/passwd", "a/b.png", f"../{NAME}", f"{NAME}/..", f"{NAME}\n", f"{NAME}\0",
     NAME.upper(), NAME.replace("png", "svg"), f"./{NAME}", f"..\\{NAME}"],
)  # fmt: skip
def test_no_name_but_ours_reaches_the_storage(storage: PosterStorage, name: str) -> None:
    for call in (storage.read, storage.remove, lambda name: storage.write(name, b"x", "image/png")):
        with pytest.raises(ValueError, match="not the name"):
            call(name)


def test_a_storage_that_is_away_says_so(away: PosterStorage) -> None:
    assert away.check()
    with pytest.raises(StorageAway):
        away.write(NAME, b"x", "image/png")


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path)
    storage.write(NAME, b"x", "image/png")
    (tmp_path / NAME.replace("0", "f")).mkdir()
    with pytest.raises(StorageAway):
        storage.write(NAME.replace("0", "f"), b"y", "image/png")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([NAME, NAME.replace("0", "f")])


def test_s3_keeps_the_content_type(s3_url: str) -> None:
    storage = on_s3(s3_url, "typed")
    storage.write(NAME, b"x", "image/png")
    head = storage._client.head_object(Bucket="typed", Key=NAME)
    assert head["ContentType"] == "image/png"


def test_a_bucket_is_made_in_the_region_that_is_set(s3_url: str) -> None:
    storage = on_s3(s3_url, "elsewhere", "ap-southeast-3")
    storage.write(NAME, b"x", "image/png")
    place = storage._client.get_bucket_location(Bucket="elsewhere")
    assert place["LocationConstraint"] == "ap-southeast-3"
