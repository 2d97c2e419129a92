"""Times as callers write them."""

from datetime import UTC, datetime

import pytest

from shared.times import TimeInvalid, read_bound, read_time, read_zone, write_time

JAKARTA = "Asia/Jakarta"


@pytest.mark.parametrize(
    "text",
    [
        "2030-01-02 19:00",
        "2030-01-02 19:00:00",
        "2030-01-02T19:00:00",
        "2030-01-02T12:00:00Z",
        "2030-01-02t12:00:00.000z",
        "2030-01-02T14:00:00+02:00",
        "2030-01-02 14:00:00 +02:00",
    ],
)
def test_the_same_instant_is_read_from_every_accepted_form(text: str) -> None:
    assert read_time("start_time", text, JAKARTA) == datetime(2030, 1, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "", "soon", "2030-01-02", "19:00", "2030-13-01 10:00", "2030-02-30 10:00", "2030-01-02 24:30",
        "2030-01-02 10:00:60", "1969-12-31 10:00", "0001-01-01 00:00", "9999-12-31 23:59", "20300102T1000",
        "٢٠٣٠-01-02 10:00", "2030-01-02 10:00+99:00", "1893456000",
    ],
)  # fmt: skip
def test_what_is_no_sane_time_is_refused_with_its_field(text: str) -> None:
    with pytest.raises(TimeInvalid) as refused:
        read_time("start_time", text, JAKARTA)
    assert refused.value.field == "start_time"


def test_a_local_time_that_comes_twice_is_the_first_of_the_two() -> None:
    assert read_time("t", "2030-10-27 02:30", "Europe/Berlin") == datetime(2030, 10, 27, 0, 30, tzinfo=UTC)


def test_a_local_time_that_never_comes_has_the_offset_before_the_jump() -> None:
    assert read_time("t", "2030-03-31 02:30", "Europe/Berlin") == datetime(2030, 3, 31, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "name", ["Mars/Base", "America", "../etc/passwd", "/etc/passwd", "", "a\x00", "x" * 300]
)
def test_what_is_no_time_zone_is_refused(name: str) -> None:
    with pytest.raises(TimeInvalid):
        read_zone("timezone", name)


def test_a_time_is_written_with_the_offset_of_its_zone() -> None:
    assert write_time(datetime(2030, 1, 2, 12, tzinfo=UTC), JAKARTA) == "2030-01-02T19:00:00+07:00"
    assert write_time(None, JAKARTA) == ""


def test_a_day_as_upper_bound_includes_the_whole_day() -> None:
    last = read_bound("to", "2030-01-02", JAKARTA, whole_day=True)
    assert read_time("t", "2030-01-02 23:59:59", JAKARTA) < last < read_time("t", "2030-01-03 00:00", JAKARTA)
    assert read_bound("from", "2030-01-02", JAKARTA) == read_time("t", "2030-01-02 00:00", JAKARTA)
