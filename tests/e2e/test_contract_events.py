"""The contract's rows on events, through the gateway."""

import io
import uuid
from datetime import timedelta
from typing import Any

import httpx
import pytest
from PIL import Image

from shared.testing import wait_until
from tests.e2e.client import event_body, make_event, must
from tests.e2e.people import People

pytestmark = pytest.mark.e2e


def body(**fields: Any) -> dict[str, Any]:
    times = {"start_time": "2031-05-01 19:00", "end_time": "2031-05-01 22:00:30"}
    return event_body(timedelta(), **{"quota": 100, **times, **fields})


@pytest.fixture(scope="module")
def event(people: People) -> dict[str, Any]:
    return make_event(people.organizer.client, timedelta(days=40))


def picture(kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(out, kind)
    return out.getvalue()


def upload(
    client: httpx.Client, event_id: str, data: bytes | None, name: str = "poster.png"
) -> httpx.Response:
    files = {"image": (name, data, "image/png")} if data is not None else {"other": b"x"}
    return client.post("/api/events/upload/", data={"event": event_id}, files=files)


def test_an_event_answers_strings_but_for_its_quota(people: People) -> None:
    made = must(people.organizer.client.post("/api/events/", json=body(timezone="Asia/Jakarta")), 201)
    shown = must(people.anyone.client.get(f"/api/events/{made['id']}/"), 200)
    for field in ("id", "name", "description", "location", "start_time", "end_time", "status", "category"):
        assert isinstance(shown[field], str), field
    assert shown["quota"] == 100
    assert shown["organizer_id"] == people.organizer.id
    assert shown["timezone"] == "Asia/Jakarta"
    assert shown["start_time"].startswith(("2031-05-01T19:00:00+07:00", "2031-05-01T12:00:00"))


@pytest.mark.parametrize(
    ("who", "status"), [("root", 201), ("admin", 201), ("organizer", 201), ("user", 403), ("anyone", 401)]
)
def test_events_are_made_by_organizers_and_admins(people: People, who: str, status: int) -> None:
    must(getattr(people, who).client.post("/api/events/", json=body()), status)


def test_an_organizer_makes_events_for_himself_only_and_an_admin_for_anyone(people: People) -> None:
    for_other = body(organizer_id=people.other.id)
    assert people.organizer.client.post("/api/events/", json=for_other).status_code == 403
    assert (
        must(people.admin.client.post("/api/events/", json=for_other), 201)["organizer_id"] == people.other.id
    )


def test_an_end_before_the_start_and_a_past_start_are_taken_with_a_warning(people: People) -> None:
    odd = body(start_time="2020-01-02 10:00", end_time="2020-01-01 10:00")
    made = must(people.organizer.client.post("/api/events/", json=odd), 201)
    assert made["warnings"]
    assert "warnings" not in must(people.organizer.client.post("/api/events/", json=body()), 201)


@pytest.mark.parametrize(
    "wrong", [{"start_time": "soon"}, {"status": "cool"}, {"quota": -1}, {"quota": "many"}, {"name": ""}]
)
def test_a_wrong_field_is_400_and_named(people: People, wrong: dict[str, Any]) -> None:
    answer = must(people.organizer.client.post("/api/events/", json=body(**wrong)), 400)
    assert set(answer) >= {"type", "title", "status", "detail", "errors"}
    assert next(iter(wrong)) in answer["errors"]


def test_the_list_is_newest_first_filtered_and_paged(people: People) -> None:
    category = f"c{uuid.uuid4().hex[:8]}"
    for day in ("01", "03", "02"):
        new = body(category=category, start_time=f"2031-06-{day} 10:00", end_time=f"2031-06-{day} 11:00")
        must(people.organizer.client.post("/api/events/", json=new), 201)
    anyone = people.anyone.client
    listed = must(anyone.get("/api/events/", params={"category": category}), 200)
    assert [event["start_time"][8:10] for event in listed["events"]] == ["03", "02", "01"]
    past = must(anyone.get("/api/events/", params={"category": category, "page": 99, "page_size": 2}), 200)
    assert past["pagination"].items() >= {"page": 2, "page_size": 2, "pages": 2, "total": 3}.items()
    assert len(past["events"]) == 1
    assert not must(anyone.get("/api/events/", params={"category": category, "search": "opera"}), 200)[
        "events"
    ]
    within = {"category": category, "from": "2031-06-02", "to": "2031-06-02"}
    assert len(must(anyone.get("/api/events/", params=within), 200)["events"]) == 1
    assert not must(anyone.get("/api/events/", params={"category": category, "status": "ongoing"}), 200)[
        "events"
    ]


def test_a_cursor_goes_on_where_a_page_ended(people: People) -> None:
    category = f"c{uuid.uuid4().hex[:8]}"
    for number in range(5):
        must(
            people.organizer.client.post("/api/events/", json=body(category=category, name=f"N{number}")), 201
        )
    seen: list[str] = []
    params = {"category": category, "page_size": "2"}
    for _ in range(3):
        page = must(people.anyone.client.get("/api/events/", params=params), 200)
        seen += [event["name"] for event in page["events"]]
        params["cursor"] = page["pagination"].get("next_cursor", "")
    assert sorted(seen) == [f"N{number}" for number in range(5)]


def test_a_draft_is_404_to_others_and_in_the_list_of_staff_only(people: People) -> None:
    category = f"c{uuid.uuid4().hex[:8]}"
    draft = must(
        people.organizer.client.post("/api/events/", json=body(status="draft", category=category)), 201
    )
    path, listing = f"/api/events/{draft['id']}/", f"/api/events/?category={category}"
    for who, status, count in (
        ("anyone", 404, 0),
        ("user", 404, 0),
        ("organizer", 200, 1),
        ("admin", 200, 1),
    ):
        client = getattr(people, who).client
        assert client.get(path).status_code == status
        assert len(must(client.get(listing), 200)["events"]) == count


def test_any_change_is_seen_by_the_very_next_read(people: People) -> None:
    made = must(people.organizer.client.post("/api/events/", json=body()), 201)
    path, anyone = f"/api/events/{made['id']}/", people.anyone.client
    for number in range(10):
        method = "PUT" if number % 2 else "PATCH"
        change = {"location": f"Hall {number}", "unknown": [1]}
        changed = must(people.organizer.client.request(method, path, json=change), 200)
        answer = anyone.get(path)
        assert answer.headers["X-Data-Source"] in ("database", "cache")
        assert must(answer, 200)["location"] == changed["location"] == f"Hall {number}"
    assert anyone.get(path).headers["X-Data-Source"] == "cache"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(("who", "status"), [("other", 403), ("user", 403), ("anyone", 401)])
def test_an_event_is_changed_by_its_staff_only(
    people: People, event: dict[str, Any], who: str, status: int, method: str
) -> None:
    client = getattr(people, who).client
    assert client.request(method, f"/api/events/{event['id']}/", json={}).status_code == status


@pytest.mark.parametrize("who", ["organizer", "admin", "root"])
def test_a_deleted_event_is_gone(people: People, who: str) -> None:
    path = f"/api/events/{must(people.organizer.client.post('/api/events/', json=body()), 201)['id']}/"
    must(getattr(people, who).client.delete(path), 204)
    assert people.anyone.client.get(path).status_code == 404
    assert people.organizer.client.delete(path).status_code == 404


def test_a_poster_goes_up_is_listed_and_comes_down(people: People, event: dict[str, Any]) -> None:
    data = picture()
    made = must(upload(people.organizer.client, event["id"], data, "../../evil.php"), 201)
    assert "evil" not in made["image"]
    listed = must(people.anyone.client.get(f"/api/events/{event['id']}/poster/"), 200)
    [poster] = [poster for poster in listed if poster["id"] == made["id"]]
    assert set(poster) >= {"id", "image", "url"}
    for path in (
        f"/api/events/posters/{made['image'].rpartition('/')[2]}/",
        httpx.URL(poster["url"]).raw_path.decode(),
    ):
        answer = people.anyone.client.get(path)
        assert (answer.status_code, answer.content) == (200, data)
        assert answer.headers["Content-Type"] == "image/png"


def test_what_is_no_picture_of_at_most_500_kb_is_400(people: People, event: dict[str, Any]) -> None:
    client = people.organizer.client
    assert upload(client, event["id"], None).status_code == 400
    assert upload(client, event["id"], b"<svg onload=alert(1)>", "a.png").status_code == 400
    for size in (600_000, 3_000_000):
        answer = must(upload(client, event["id"], picture() + b"\0" * size), 400)
        assert list(answer["errors"]) == ["image"]
    assert client.post("/api/events/upload/", data={"event": event["id"]}).status_code == 400
    assert upload(client, str(uuid.uuid4()), picture()).status_code == 404


@pytest.mark.parametrize(("who", "status"), [("other", 403), ("user", 403), ("anyone", 401), ("admin", 201)])
def test_posters_are_put_up_by_the_events_staff(
    people: People, event: dict[str, Any], who: str, status: int
) -> None:
    assert upload(getattr(people, who).client, event["id"], picture("JPEG")).status_code == status


def test_a_poster_or_event_that_is_not_there_is_404(people: People) -> None:
    for path in (f"/api/events/{uuid.uuid4()}/", f"/api/events/posters/{uuid.uuid4()}.png/"):
        answer = people.anyone.client.get(path)
        assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/json")


def test_reminders_of_an_event_are_minutes_and_120_by_default(people: People) -> None:
    made = must(people.organizer.client.post("/api/events/", json=body()), 201)
    assert made["reminders"] == [120]
    path = f"/api/events/{made['id']}/"
    changed = must(people.organizer.client.patch(path, json={"reminders": [1440, 120]}), 200)
    assert sorted(changed["reminders"]) == [120, 1440]


def test_send_reminders_is_for_admins(people: People) -> None:
    for who, status in (("anyone", 401), ("user", 403), ("organizer", 403), ("admin", 202), ("root", 202)):
        answer = getattr(people, who).client.post("/api/events/send-reminders/")
        assert answer.status_code == status
    told = answer.json()
    assert told["message"] == "Event reminder task has been queued successfully"
    assert uuid.UUID(told["task_id"])


def test_an_event_made_a_moment_ago_can_be_sold_and_reminded_of_at_once(people: People) -> None:
    made = make_event(people.organizer.client, timedelta(hours=1))
    admin = people.admin.client
    run = must(admin.post("/api/events/send-reminders/", json={"event_id": made["id"]}), 202)["task_id"]
    wait_until(lambda: admin.get(f"/api/notifications/runs/{run}/").status_code == 200, "the run is there")
