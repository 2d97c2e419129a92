"""The public calls on posters, with both storages."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import Engine, text

from services.events import posters, sweeper
from services.events.api.form import MAX_IMAGE_BYTES
from services.events.errors import StorageAway
from services.events.storage import PosterStorage
from services.events.storage.folder import FolderStorage
from services.events.tests.integration.conftest import House, open_house
from shared.auth import Principal

UPLOAD = "/api/events/upload/"
ABSENT = "018f0000-0000-7000-8000-000000000000"


@pytest.fixture
def gallery(
    make_service_engine: Callable[[str], Engine], redis_url: str, storage: PosterStorage
) -> Iterator[House]:
    """The service with each storage in turn."""
    with open_house(make_service_engine("events"), redis_url, storage) as opened:
        yield opened


def picture(format_: str = "PNG", padding: int = 0) -> bytes:
    out = BytesIO()
    Image.new("RGB", (20, 10), (200, 30, 40)).save(out, format_)
    # What follows the end of a picture is no part of it.
    return out.getvalue() + b"\0" * padding


def upload(house: House, event: str, image: bytes, who: dict[str, str] | None = None, **file: str) -> Any:
    files = {"image": (file.get("name", "a.png"), image, file.get("type", "image/png"))}
    return house.client.post(UPLOAD, data={"event": event}, files=files, headers=who or house.organizer)


def stored(house: House) -> list[tuple[str, str]]:
    with house.engine.connect() as connection:
        return [(row.name, row.state) for row in connection.execute(text("SELECT name, state FROM posters"))]


@pytest.mark.parametrize(
    ("format_", "type_", "ending"),
    [("PNG", "image/png", "png"), ("JPEG", "image/jpeg", "jpg"), ("GIF", "image/gif", "gif"),
     ("WEBP", "image/webp", "webp")],
)  # fmt: skip
def test_a_poster_is_served_as_what_it_is_whatever_the_client_called_it(
    gallery: House, format_: str, type_: str, ending: str
) -> None:
    event = gallery.make_event()["id"]
    made = upload(gallery, event, picture(format_), name="../../evil.html", type="text/html")
    assert made.status_code == 201, made.text
    assert set(made.json()) == {"id", "image"}
    listed = gallery.client.get(f"/api/events/{event}/poster/")
    name = made.json()["image"]
    assert listed.json() == [{**made.json(), "url": f"/api/events/posters/{name}/"}]
    assert name.endswith(f".{ending}")
    assert "evil" not in name
    answer = gallery.client.get(listed.json()[0]["url"])
    assert (answer.status_code, answer.content) == (200, picture(format_))
    assert answer.headers["Content-Type"] == type_
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Disposition"].startswith("inline")
    assert "immutable" in answer.headers["Cache-Control"]


def test_who_may_upload(gallery: House) -> None:
    event = gallery.make_event()["id"]
    expected = (({"x": "y"}, 401), (gallery.user, 403), (gallery.rival, 403), (gallery.admin, 201))
    for who, status in expected:
        assert upload(gallery, event, picture(), who).status_code == status
    assert upload(gallery, ABSENT, picture()).status_code == 404
    assert len(stored(gallery)) == 1


def test_the_poster_of_a_draft_is_there_for_those_who_see_the_draft(gallery: House) -> None:
    event = gallery.make_event(status="draft")["id"]
    url = f"/api/events/posters/{upload(gallery, event, picture()).json()['image']}/"
    for path in (url, f"/api/events/{event}/poster/"):
        seen = [gallery.client.get(path, headers=who).status_code for who in ({}, gallery.rival)]
        assert seen == [404, 404]
        assert gallery.client.get(path, headers=gallery.admin).status_code == 200
    assert gallery.client.get(url, headers=gallery.organizer).headers["Cache-Control"] == "private, no-store"
    assert upload(gallery, event, picture(), gallery.rival).status_code == 404


def test_a_picture_of_500_kb_is_taken_and_one_byte_more_is_not(gallery: House) -> None:
    event = gallery.make_event()["id"]
    size = len(picture())
    assert upload(gallery, event, picture(padding=MAX_IMAGE_BYTES - size)).status_code == 201
    answer = upload(gallery, event, picture(padding=MAX_IMAGE_BYTES - size + 1))
    assert answer.status_code == 400
    assert answer.json()["errors"] == {"image": ["is larger than 500 kB"]}
    assert len(stored(gallery)) == 1


def test_a_body_without_end_is_refused_after_the_limit(house: House) -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        yield b'--b\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n'
        while taken < 10_000_000:
            taken += 10_000
            yield b"x" * 10_000

    headers = {**house.organizer, "Content-Type": "multipart/form-data; boundary=b"}
    answer = house.client.post(UPLOAD, content=endless(), headers=headers)
    assert answer.status_code == 400
    assert answer.json()["errors"] == {"image": ["is larger than 500 kB"]}
    assert stored(house) == []


def part(name: str, value: bytes, file: bool = False) -> bytes:
    extra = '; filename="x.png"' if file else ""
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'.encode() + value + b"\r\n"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"--b--\r\n", "image"),
        (part("event", ABSENT.encode()) + b"--b--\r\n", "image"),
        (part("image", picture(), file=True) + b"--b--\r\n", "event"),
        (part("image", b"", file=True) + part("event", b"x") + b"--b--\r\n", "image"),
        (part("image", b"text") + part("event", b"x") + b"--b--\r\n", "image"),
        (part("image", picture(), True) + part("event", b"no-uuid") + b"--b--\r\n", "event"),
        (part("image", picture(), True) + part("event", b"\0\xff") + b"--b--\r\n", "event"),
        (part("image", picture(), True) + part("event", b"x" * 1_000) + b"--b--\r\n", "event"),
        (part("image", picture(), True) * 2 + part("event", b"x") + b"--b--\r\n", "image"),
        (part("event", ABSENT.encode()) + part("image", picture(), True), "body"),
        (part("event", ABSENT.encode()) + part("image", picture(), True)[:-20], "body"),
        (part("event", ABSENT.encode()) + part("image", picture(), True) + b"--b", "body"),
        (b"no form at all", "body"),
        (b"--b\r\nno header\r\n\r\nx\r\n--b--\r\n", "body"),
        (part("image", b"GIF89a no picture", True) + part("event", ABSENT.encode()) + b"--b--\r\n", "image"),
    ],
)
def test_a_form_that_is_cut_off_or_wrong_is_400_and_stores_nothing(
    house: House, body: bytes, field: str
) -> None:
    headers = {**house.organizer, "Content-Type": "multipart/form-data; boundary=b"}
    answer = house.client.post(UPLOAD, content=body, headers=headers)
    assert answer.status_code == 400, answer.text
    assert list(answer.json()["errors"]) == [field]
    assert stored(house) == []


def test_what_is_no_form_is_refused_by_its_type(house: House) -> None:
    for type_, status in (
        ("application/json", 415),
        ("text/plain", 415),
        ("multipart/form-data", 400),
        ("multipart/form-data; boundary=", 400),
        (f"multipart/form-data; boundary={'x' * 5000}", 400),
    ):
        headers = {**house.organizer, "Content-Type": type_}
        assert house.client.post(UPLOAD, content=b"{}", headers=headers).status_code == status, type_
    assert house.client.post(UPLOAD, headers=house.organizer).status_code == 400
    assert house.client.get(UPLOAD).status_code == 405


@pytest.mark.parametrize(
    "name",
    ["x", "%2e%2e", "..%2f..%2fetc%2fpasswd", "%00", "a" * 5000, f"{'0' * 32}.png",
     f"{'0' * 32}.svg", f"{'0' * 32}.png%00"],
)  # fmt: skip
def test_a_name_that_is_no_posters_is_404(house: House, name: str) -> None:
    assert house.client.get(f"/api/events/posters/{name}/").status_code == 404


def test_the_posters_of_a_deleted_event_are_gone_and_so_are_their_files(
    gallery: House, storage: PosterStorage
) -> None:
    event = gallery.make_event()["id"]
    name = upload(gallery, event, picture()).json()["image"]
    assert gallery.client.delete(f"/api/events/{event}/", headers=gallery.admin).status_code == 204
    assert gallery.client.get(f"/api/events/posters/{name}/").status_code == 404
    assert gallery.client.get(f"/api/events/{event}/poster/").status_code == 404
    # As after a crash here: the row is what is left to do.
    assert stored(gallery) == [(name, "gone")]
    assert storage.read(name) is not None
    assert sweeper.sweep_once(gallery.engine, storage) == 1
    assert (storage.read(name), stored(gallery)) == (None, [])
    assert sweeper.sweep_once(gallery.engine, storage) == 0


def test_an_upload_that_a_crash_cut_off_is_swept_once_it_is_old(house: House, tmp_path: Path) -> None:
    event = house.make_event()["id"]
    caller = Principal("organizer-1", "o", frozenset({"organizer"}))
    storage = FolderStorage(tmp_path / "posters")
    with house.engine.begin() as connection:
        poster = posters.begin_upload(connection, event, caller, "image/png", "png")
    storage.write(poster.name, picture(), "image/png")
    assert house.client.get(f"/api/events/{event}/poster/").json() == []
    assert house.client.get(f"/api/events/posters/{poster.name}/").status_code == 404
    assert sweeper.sweep_once(house.engine, storage) == 0
    assert sweeper.sweep_once(house.engine, storage, timedelta(0)) == 1
    assert (storage.read(poster.name), stored(house)) == (None, [])
    with house.engine.begin() as connection:
        assert posters.finish_upload(connection, poster, caller) is False


def test_an_event_deleted_during_an_upload_leaves_no_poster(house: House) -> None:
    event = house.make_event()["id"]
    caller = Principal("organizer-1", "o", frozenset({"organizer"}))
    with house.engine.begin() as connection:
        poster = posters.begin_upload(connection, event, caller, "image/png", "png")
    assert house.client.delete(f"/api/events/{event}/", headers=house.admin).status_code == 204
    with house.engine.begin() as connection:
        assert posters.finish_upload(connection, poster, caller) is False
    assert stored(house) == [(poster.name, "gone")]


def test_with_the_storage_away_posters_are_503_and_events_work(
    make_service_engine: Callable[[str], Engine], redis_url: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    storage = FolderStorage(tmp_path / "file" / "posters")
    with open_house(make_service_engine("events"), redis_url, storage) as house:
        event = house.make_event()["id"]
        answer = upload(house, event, picture())
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        assert house.client.get(f"/api/events/{event}/poster/").json() == []
        assert house.client.get(f"/api/events/{event}/").status_code == 200
        with pytest.raises(StorageAway):
            storage.write(stored(house)[0][0], b"", "image/png")


def test_an_event_has_only_so_many_posters(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posters, "MOST_POSTERS", 2)
    event = house.make_event()["id"]
    statuses = [upload(house, event, picture()).status_code for _ in range(3)]
    assert statuses == [201, 201, 409]
