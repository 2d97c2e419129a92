"""What is due when, and which mail follows from an order or a change; in every time zone."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.notifications.mail.words import day_and_time, start_in_words
from services.notifications.model import Content, EventFacts, Kind
from services.notifications.schedule import (
    due_at,
    is_news,
    leads_of,
    mail_of_order,
    nearest_due,
    notice_due,
    notice_of,
    remaining_minutes,
    useless_after,
)

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
EVENT = EventFacts("e", 1, "Jazz", "Kota Tua", "Asia/Jakarta", NOW + DAY, "scheduled")
SETTLE = timedelta(seconds=60)
ZONES = st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"}))
MINUTES = st.lists(st.integers(1, 60 * 24 * 30), max_size=10)
INSTANTS = st.integers(1_577_836_800, 2_145_830_400).map(lambda s: datetime.fromtimestamp(s, UTC))


@given(INSTANTS, ZONES, st.integers(1, 60 * 24 * 30))
def test_a_lead_time_is_real_time_whatever_the_clocks_of_the_zone_do(
    start: datetime, zone: str, minutes: int
) -> None:
    local, lead = start.astimezone(ZoneInfo(zone)), timedelta(minutes=minutes)
    due = due_at(local, lead)
    assert due.utcoffset() == timedelta(0)
    assert due == due_at(start, lead) == start - lead
    assert remaining_minutes(local, due) == minutes


@example(NOW, "America/St_Johns", "en")
@given(INSTANTS, ZONES, st.sampled_from(["en", "id"]))
def test_the_text_tells_the_wall_clock_of_the_place_at_the_start(
    start: datetime, zone: str, lang: str
) -> None:
    wall = start.astimezone(ZoneInfo(zone))
    said = start_in_words(start, zone, lang)
    assert said.startswith(f"{day_and_time(start, zone, lang)} ({zone}, ")
    assert f", {wall.day} " in said
    assert f"{wall:%Y, %H:%M}" in said or f"{wall:%Y} {wall:%H:%M}" in said
    offset = re.search(r", ([+-]\d{4})\)$", said)
    assert offset is None or offset[1] == f"{wall:%z}"[:5]


@pytest.mark.parametrize(
    ("zone", "start", "due", "wall"),
    [
        ("Europe/Berlin", "2030-03-31T02:30:00+00:00", "2030-03-31T00:30:00+00:00", "04:30"),
        ("Europe/Berlin", "2030-10-27T02:00:00+00:00", "2030-10-27T00:00:00+00:00", "03:00"),
        ("America/New_York", "2030-03-10T08:00:00+00:00", "2030-03-10T06:00:00+00:00", "04:00"),
        ("Australia/Lord_Howe", "2030-04-06T16:00:00+00:00", "2030-04-06T14:00:00+00:00", "02:30"),
    ],
)
def test_over_a_change_of_the_clocks_two_hours_are_two_hours(
    zone: str, start: str, due: str, wall: str
) -> None:
    begins = datetime.fromisoformat(start)
    assert due_at(begins, 2 * HOUR) == datetime.fromisoformat(due)
    assert day_and_time(begins, zone, "en").endswith(wall)


@given(MINUTES, st.integers(-60 * 24 * 40, 60 * 24 * 40))
def test_of_what_is_due_the_nearest_to_the_start_is_sent(minutes: list[int], until: int) -> None:
    leads = leads_of(replace(EVENT, reminders=tuple(minutes)), HOUR)
    start = NOW + timedelta(minutes=until)
    found = nearest_due(start, leads, NOW)
    due = [m for m in minutes if m >= until]
    assert found == (timedelta(minutes=min(due)) if due else None)
    assert list(leads) == sorted(set(leads), reverse=True)


def test_no_lead_times_are_no_reminders_and_none_given_are_the_default() -> None:
    assert leads_of(replace(EVENT, reminders=()), HOUR) == ()
    assert leads_of(EVENT, HOUR) == (HOUR,)


@given(MINUTES, st.integers(-100, 60 * 24 * 40), st.booleans(), st.booleans(), st.booleans())
def test_an_order_has_one_mail_at_most(
    minutes: list[int], until: int, confirm: bool, reminded: bool, wants: bool
) -> None:
    event = replace(EVENT, starts_at=NOW + timedelta(minutes=until))
    leads = leads_of(replace(event, reminders=tuple(minutes)), HOUR)
    mail = mail_of_order(event, leads, NOW, confirm, reminded, wants)
    inside = any(m >= until for m in minutes)
    if until <= 0:
        assert mail is None
    elif inside and not reminded and wants:
        assert mail is not None
        assert mail.kind == Kind.REMINDER
    elif confirm:
        assert mail is not None
        assert mail.kind == Kind.CONFIRMATION
    else:
        assert mail is None


def test_nothing_follows_from_an_order_for_what_does_not_take_place() -> None:
    off = replace(EVENT, status="cancelled")
    assert mail_of_order(off, [2 * DAY], NOW, confirm=True, reminded=False) is None


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({}, None),
        ({"name": "Blues"}, None),
        ({"note": "x"}, None),
        ({"location": " Kota  Tua\n"}, None),
        ({"location": "Elsewhere"}, Kind.MOVED),
        ({"starts_at": NOW + 2 * DAY}, Kind.MOVED),
        ({"starts_at": NOW - DAY}, None),
        ({"status": "cancelled"}, Kind.CANCELLED),
        ({"status": "draft"}, Kind.CANCELLED),
        ({"deleted": True}, Kind.CANCELLED),
        ({"status": "completed"}, None),
        ({"status": "ongoing"}, None),
        ({"status": "cancelled", "starts_at": NOW + 2 * DAY}, Kind.CANCELLED),
    ],
)
def test_which_changes_are_told(change: dict, kind: Kind | None) -> None:
    assert notice_of(EVENT, replace(EVENT, version=2, **change), NOW) == kind
    assert notice_of(None, replace(EVENT, **change), NOW) is None
    begun = replace(EVENT, starts_at=NOW)
    assert notice_of(begun, replace(begun, version=2, **change), NOW) is None


def test_what_takes_place_after_all_is_told() -> None:
    assert notice_of(replace(EVENT, status="cancelled"), EVENT, NOW) == Kind.MOVED


PLACES, STARTS = st.sampled_from(["A", "B"]), st.sampled_from([NOW + DAY, NOW + 2 * DAY])
CONTENTS = st.builds(
    Content,
    version=st.just(1),
    name=st.just("Jazz"),
    location=PLACES,
    timezone=st.just("UTC"),
    starts_at=STARTS,
    status=st.sampled_from(["scheduled", "cancelled"]),
)


@given(CONTENTS, CONTENTS)
def test_nobody_is_told_what_he_knows(known: Content, truth: Content) -> None:
    assert not is_news(known, known)
    same = (known.location, known.starts_at, known.status) == (truth.location, truth.starts_at, truth.status)
    assert is_news(known, truth) == (not same and not (known.called_off and truth.called_off))


@given(st.integers(0, 3600), st.integers(0, 10**6))
def test_a_notice_waits_for_the_last_edit_but_not_for_ever(edited: int, until: int) -> None:
    now = NOW + timedelta(seconds=edited)
    due = notice_due(now, NOW, SETTLE, now + timedelta(seconds=until))
    assert now <= due <= now + SETTLE
    assert due <= max(now, NOW + 10 * SETTLE)
    if until <= 60:
        assert due == now


def test_the_first_and_the_last_days_of_the_calendar_have_no_overflow() -> None:
    last, first = datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)
    assert useless_after(Kind.CANCELLED, last, NOW) == last
    assert due_at(first, DAY) == first
