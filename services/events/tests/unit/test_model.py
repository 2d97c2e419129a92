"""What an event is, and what follows from a change."""

from dataclasses import replace

import pytest

from services.events import model
from services.events.errors import FieldInvalid
from services.events.model import Changes, Event
from shared.auth import Principal
from shared.messages import Message

WANTED = Changes(name="Jazz", start_time="2030-01-02 19:00", end_time="2030-01-02 22:00", quota=100)


def make(status: str = "scheduled") -> tuple[Event, list[Message]]:
    return model.create("e1", replace(WANTED, status=status), "u1", "Asia/Jakarta")


def types(messages: list[Message]) -> list[str]:
    return [message.type for message in messages]


@pytest.mark.parametrize(
    ("status", "published"),
    [
        ("draft", []),
        ("scheduled", ["event.scheduled"]),
        ("ongoing", ["event.scheduled"]),
        ("completed", ["event.scheduled"]),
        ("cancelled", ["event.cancelled"]),
    ],
)
def test_a_new_event_is_announced_unless_it_is_a_draft(status: str, published: list[str]) -> None:
    event, messages = make(status)
    assert types(messages) == published
    assert event.published == bool(published)
    assert event.version == 1


@pytest.mark.parametrize(
    ("before", "after", "published"),
    [
        ("draft", "scheduled", ["event.scheduled"]),
        ("draft", "cancelled", ["event.cancelled"]),
        ("scheduled", "cancelled", ["event.cancelled"]),
        ("scheduled", "draft", ["event.cancelled"]),
        ("scheduled", "completed", ["event.updated"]),
        ("cancelled", "scheduled", ["event.scheduled"]),
        ("cancelled", "draft", []),
    ],
)
def test_a_change_of_status_is_told_as_what_it_means(before: str, after: str, published: list[str]) -> None:
    event, _ = make(before)
    changed, messages = model.change(event, Changes(status=after.upper()), 120)
    assert changed.status == after
    assert types(messages) == published


def test_a_withdrawn_event_is_cancelled_for_the_others() -> None:
    _, messages = model.change(make()[0], Changes(status="draft"), 120)
    assert messages[0].data.model_dump()["status"] == "cancelled"


def test_a_change_counts_the_version_and_carries_it() -> None:
    changed, messages = model.change(make()[0], Changes(name="Blues"), 120)
    assert changed.version == 2
    assert (messages[0].type, messages[0].sequence) == ("event.updated", 2)
    assert messages[0].data.model_dump()["version"] == 2


def test_a_change_that_changes_nothing_is_none() -> None:
    event, _ = make()
    assert model.change(event, WANTED, 120) == (event, [])


def test_a_draft_changes_in_silence() -> None:
    changed, messages = model.change(make("draft")[0], Changes(name="Blues"), 120)
    assert (changed.version, messages) == (2, [])


def test_a_new_zone_alone_moves_no_instant() -> None:
    event, _ = make()
    changed, _ = model.change(event, Changes(timezone="Asia/Tokyo"), 120)
    assert changed.starts_at == event.starts_at
    assert changed.timezone == "Asia/Tokyo"


def test_a_naive_time_is_read_in_the_zone_that_comes_with_it() -> None:
    changed, _ = model.change(make()[0], Changes(timezone="UTC", start_time="2030-01-02 19:00"), 120)
    assert changed.starts_at.isoformat() == "2030-01-02T19:00:00+00:00"


def test_an_end_before_the_start_is_kept_warned_of_and_unknown_to_others() -> None:
    event, messages = model.create("e1", replace(WANTED, end_time="2030-01-01 10:00"), "u1", "Asia/Jakarta")
    assert event.ends_at is not None
    assert model.warnings(event)
    assert messages[0].data.model_dump()["ends_at"] is None


def test_an_empty_end_is_unknown() -> None:
    changed, _ = model.change(make()[0], Changes(end_time=""), 120)
    assert changed.ends_at is None
    assert model.warnings(changed) == []


def test_only_an_event_others_heard_of_is_deleted_for_them() -> None:
    assert model.delete(make("draft")[0]) == []
    gone = model.delete(make()[0])
    assert [(m.type, m.sequence) for m in gone] == [("event.deleted", 2)]
    withdrawn, _ = model.change(make()[0], Changes(status="draft"), 120)
    assert types(model.delete(withdrawn)) == ["event.deleted"]


def test_an_unknown_status_is_refused() -> None:
    with pytest.raises(FieldInvalid):
        make("postponed")


@pytest.mark.parametrize(
    ("roles", "id_", "allowed"),
    [
        ({"admin"}, "x", True),
        ({"superuser"}, "x", True),
        ({"organizer"}, "u1", True),
        ({"organizer"}, "x", False),
        (set(), "u1", False),
    ],
)
def test_who_may_edit_an_event_may_see_its_draft_and_nobody_else(
    roles: set[str], id_: str, allowed: bool
) -> None:
    caller = Principal(id_, "name", frozenset(roles))
    draft, _ = make("draft")
    assert model.may_edit(caller, draft) is allowed
    assert model.may_see(caller, draft) is allowed
    assert model.may_see(caller, make()[0])
    assert not model.may_see(None, draft)
