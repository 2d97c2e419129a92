"""The list of events."""

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from services.events.store import EventFilter, after_query
from services.events.tests.integration.conftest import House


def names(house: Any, query: str = "", who: dict[str, str] | None = None) -> list[str]:
    answer = house.client.get(f"/api/events/?{query}", headers=who or {})
    assert answer.status_code == 200, answer.text
    return [event["name"] for event in answer.json()["events"]]


def test_the_newest_start_is_first_and_a_page_past_the_end_is_the_last(house: Any) -> None:
    for day in range(1, 6):
        house.make_event(name=f"day {day}", start_time=f"2030-01-0{day} 19:00")
    assert names(house, "page=1&page_size=2") == ["day 5", "day 4"]
    answer = house.client.get("/api/events?page=99999999999999999999&page_size=2")
    assert [event["name"] for event in answer.json()["events"]] == ["day 1"]
    assert answer.json()["pagination"] == {"page": 3, "page_size": 2, "pages": 3, "total": 5}
    assert answer.headers["X-Data-Source"] == "database"


def test_an_empty_list_has_one_page(house: Any) -> None:
    answer = house.client.get("/api/events/?page=7")
    assert answer.json() == {
        "events": [],
        "pagination": {"page": 1, "page_size": 20, "pages": 1, "total": 0},
    }


def test_drafts_are_listed_for_staff_only(house: Any) -> None:
    house.make_event(house.organizer, name="mine", status="draft")
    house.make_event(house.rival, name="theirs", status="draft")
    assert names(house) == names(house, who=house.user) == []
    assert names(house, who=house.organizer) == ["mine"]
    assert names(house, "status=draft", who=house.rival) == ["theirs"]
    assert sorted(names(house, who=house.admin)) == ["mine", "theirs"]


def test_search_reads_name_description_and_location_as_plain_text(house: Any) -> None:
    house.make_event(name="100% Jazz")
    house.make_event(name="b", description="some JAZZ")
    house.make_event(name="c", location="Jazz_hall")
    house.make_event(name="d", category="jazz")
    assert sorted(names(house, "search=jazz")) == ["100% Jazz", "b", "c"]
    assert names(house, "search=%25") == ["100% Jazz"]
    assert names(house, "search=_") == ["c"]
    assert names(house, "search=\\") == []


def test_category_and_status_are_matched_in_any_letter_case(house: Any) -> None:
    house.make_event(name="a", category="Music", status="completed")
    house.make_event(name="b", category="Sport")
    assert names(house, "category=music") == ["a"]
    assert names(house, "status=COMPLETED") == ["a"]
    assert names(house, "category=music&status=scheduled") == []


def test_from_and_to_are_days_or_times_of_the_start(house: Any) -> None:
    for day in range(1, 4):
        house.make_event(name=f"day {day}", start_time=f"2030-01-0{day} 19:00")
    assert names(house, "from=2030-01-02") == ["day 3", "day 2"]
    assert names(house, "to=2030-01-02") == ["day 2", "day 1"]
    assert names(house, "from=2030-01-02&to=2030-01-02") == ["day 2"]
    assert names(house, "from=2030-01-02T12:00:01Z") == ["day 3"]


@pytest.mark.parametrize(
    "query",
    ["page=0", "page=x", "page_size=0", "page_size=101", "status=lost", "from=soon", "to=9", "search=%00",
     "category=%00", "from=0001-01-01", "cursor=x", "cursor=bm8", "search=a%1Bb"],
)  # fmt: skip
def test_a_bad_query_is_400(house: Any, query: str) -> None:
    assert house.client.get(f"/api/events/?{query}").status_code == 400


def test_a_cursor_goes_through_all_events_once_and_says_when_it_is_done(house: House) -> None:
    # Two of them start together: then the id decides.
    for day in (1, 1, 2, 3, 3, 4, 5):
        house.make_event(name=f"day {day}", start_time=f"2030-01-0{day} 19:00")
    whole = [event["id"] for event in house.client.get("/api/events/").json()["events"]]
    answer = house.client.get("/api/events/?page_size=2").json()
    seen = [event["id"] for event in answer["events"]]
    while cursor := answer["pagination"].get("next_cursor"):
        answer = house.client.get(f"/api/events/?page_size=2&cursor={cursor}").json()
        seen += [event["id"] for event in answer["events"]]
        assert set(answer["pagination"]) <= {"page_size", "next_cursor"}
    assert seen == whole


def test_a_new_event_does_not_shift_what_a_cursor_shows(house: House) -> None:
    for day in range(1, 5):
        house.make_event(name=f"day {day}", start_time=f"2030-01-0{day} 19:00")
    cursor = house.client.get("/api/events/?page_size=2").json()["pagination"]["next_cursor"]
    house.make_event(name="newest", start_time="2031-01-01 19:00")
    assert names(house, f"page_size=2&cursor={cursor}") == ["day 2", "day 1"]


def test_the_filters_hold_behind_a_cursor(house: House) -> None:
    for day in range(1, 7):
        house.make_event(name=f"day {day}", start_time=f"2030-01-0{day} 19:00", category="ab"[day % 2])
    house.make_event(house.rival, name="draft", status="draft", start_time="2030-01-01 10:00", category="b")
    cursor = house.client.get("/api/events/?page_size=1&category=b").json()["pagination"]["next_cursor"]
    assert names(house, f"category=b&cursor={cursor}") == ["day 3", "day 1"]
    assert names(house, f"category=b&cursor={cursor}", house.rival) == ["day 3", "day 1", "draft"]


_MANY = """
    INSERT INTO events (id, version, name, description, location, starts_at, timezone, status, quota,
                        category, organizer_id, published)
    SELECT gen_random_uuid()::text, 1, 'n', '', '', timestamptz '2000-01-01' + n * interval '1h', 'UTC',
           'scheduled', 1, CASE n % 5 WHEN 0 THEN 'music' ELSE 'x' END, 'o', true
    FROM generate_series(1, 20000) AS n
"""


@pytest.mark.parametrize(
    "filters", [EventFilter(), EventFilter(category="Music"), EventFilter(status="scheduled")]
)
def test_a_page_behind_a_cursor_is_one_index_scan_as_dear_at_any_depth(
    house: House, filters: EventFilter
) -> None:
    with house.engine.begin() as connection:
        connection.execute(sa.text(_MANY))
        connection.execute(sa.text("ANALYZE events"))
        costs = [plan(connection, filters, datetime(year, 6, 1, tzinfo=UTC)) for year in (2002, 2001, 2000)]
    assert {node for node, _ in costs} == {"Index Scan"}
    assert max(buffers for _, buffers in costs) < 60
    assert max(buffers for _, buffers in costs) - min(buffers for _, buffers in costs) < 20


def plan(connection: sa.Connection, filters: EventFilter, start: datetime) -> tuple[str, int]:
    """(the node that finds the rows, the blocks that it touched)"""
    query = after_query(filters, 20, (start, "f"))
    compiled = query.compile(connection, compile_kwargs={"literal_binds": True})
    row = connection.exec_driver_sql(
        f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {str(compiled).replace('%', '%%')}", ()
    ).scalar_one()
    node = row[0]["Plan"]
    assert node["Node Type"] == "Limit"
    scan = node["Plans"][0]
    assert "starts_at" in scan["Index Cond"]
    return scan["Node Type"], scan["Shared Hit Blocks"] + scan["Shared Read Blocks"]
