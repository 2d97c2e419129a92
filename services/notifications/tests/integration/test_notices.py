"""Holders of an event that changes hear of it: once, with old and new."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.notifications.tests.integration.conftest import World
from shared.testing import example

SETTLE = timedelta(seconds=61)
DAY = timedelta(days=1)


@pytest.fixture
def held(world: World) -> dict:
    """An event in a day, with one holder."""
    return world.order(name="Jazz", location="Kota Tua", timezone="Asia/Jakarta", starts_in=DAY)


def text_of(mail) -> str:
    return mail.get_body(("plain",)).get_content().replace("\r\n", "\n")


def deliver_settled(world: World) -> None:
    world.later(SETTLE)
    world.deliver()


def test_a_moved_event_is_told_once_with_old_and_new_time(world: World, held: dict) -> None:
    world.change(held, 2, starts_in=2 * DAY)
    world.deliver()
    assert world.subjects() == []
    deliver_settled(world)
    world.deliver()
    [mail] = world.server.mails
    assert mail["Subject"].startswith("Moved: Jazz is now ")
    lines = text_of(mail).splitlines()
    before = next(line for line in lines if line.startswith("Before:"))
    now = next(line for line in lines if line.startswith("Now:"))
    assert before.split(None, 1)[1] != now.split(None, 1)[1]


def test_a_new_place_is_told_with_the_old_one(world: World, held: dict) -> None:
    world.change(held, 2, location="Gedung Kesenian")
    deliver_settled(world)
    text = text_of(world.server.mails[0])
    assert "Place before: Kota Tua" in text
    assert "Place:        Gedung Kesenian" in text
    assert "Before:  " not in text


def test_a_new_name_or_note_is_no_news(world: World, held: dict) -> None:
    world.change(held, 2, name="Jazz and Blues", reminder_note="Doors at six", location=" Kota  Tua ")
    deliver_settled(world)
    assert world.subjects() == []


def test_several_edits_make_one_notice_from_the_first_known_to_the_last(world: World, held: dict) -> None:
    world.change(held, 2, location="Place B")
    for version, place in ((3, "Place C"), (4, "Place D")):
        world.later(timedelta(seconds=40))
        world.deliver()
        world.change(held, version, location=place)
    deliver_settled(world)
    [mail] = world.server.mails
    assert "Place before: Kota Tua" in text_of(mail)
    assert "Place D" in text_of(mail)


def test_edits_without_end_are_told_of_in_the_end(world: World, held: dict) -> None:
    for version in range(2, 16):
        world.change(held, version, location=f"Place {version}")
        world.later(timedelta(seconds=50))
        world.deliver()
    assert len(world.subjects()) == 1


def test_a_change_that_is_taken_back_is_no_news(world: World, held: dict) -> None:
    world.change(held, 2, location="Elsewhere")
    world.change(held, 3)
    deliver_settled(world)
    assert world.subjects() == []


def test_a_second_move_tells_from_where_the_first_notice_left(world: World, held: dict) -> None:
    world.change(held, 2, location="Place B")
    deliver_settled(world)
    world.change(held, 3, location="Place C")
    deliver_settled(world)
    assert "Place before: Place B" in text_of(world.server.mails[-1])
    assert len(world.subjects()) == 2


def test_who_ordered_after_the_change_hears_nothing_of_it(world: World, held: dict) -> None:
    world.change(held, 2, location="Place B")
    world.order(holder="h2", name="Jazz", location="Place B", version=2, starts_in=DAY)
    deliver_settled(world)
    assert len(world.subjects("h1")) == 1
    assert world.subjects("h2") == []


def test_an_order_made_before_the_change_and_heard_of_after_it_is_told(world: World, held: dict) -> None:
    world.change(held, 2, location="Place B")
    world.order(holder="h2", starts_in=DAY)
    deliver_settled(world)
    assert len(world.subjects("h2")) == 1


def test_who_ordered_after_the_change_by_the_clock_hears_nothing_though_his_order_tells_the_old_facts(
    world: World, held: dict
) -> None:
    changed = example("event.updated", sequence=2, time=world.now().isoformat())
    changed["data"] = {**held["data"]["event"], "version": 2, "location": "Place B"}
    world.receive(changed)
    order = example("ticket.ordered", time=world.now().isoformat())
    order["data"]["event"] = held["data"]["event"]
    order["data"]["holder"].update(id="h2", email="h2@dicoevent.example")
    world.receive(order)
    deliver_settled(world)
    assert len(world.subjects("h1")) == 1
    assert world.subjects("h2") == []


def test_whose_reminder_confirmed_his_order_by_old_facts_is_told_though_he_ordered_after_the_change(
    world: World,
) -> None:
    world.settings = replace(world.settings, confirm_orders=True)
    before = world.now()
    held = example("ticket.ordered")
    starts_at = (before + timedelta(minutes=90)).isoformat()
    held["data"]["event"].update(id="e1", version=1, starts_at=starts_at, ends_at=None)
    world.receive(order_by_old_facts(world, held, "h2"))
    world.deliver()
    assert len(world.reminders()) == 1
    changed = example("event.updated", sequence=2, time=before.isoformat())
    changed["data"] = {**held["data"]["event"], "version": 2, "location": "Place B"}
    world.receive(changed)
    deliver_settled(world)
    assert world.subjects()[1].strip().startswith("Moved: ")


def order_by_old_facts(world: World, held: dict, holder: str) -> dict:
    """An order made now by a copy that has not heard of the change yet."""
    order = example("ticket.ordered", time=world.now().isoformat())
    order["data"]["event"] = held["data"]["event"]
    order["data"]["holder"].update(id=holder, email=f"{holder}@dicoevent.example", locale="en")
    order["data"]["ticket"]["id"] = f"e1-{holder}"
    return order


def test_who_could_still_order_after_the_cancellation_is_told_of_it(world: World, held: dict) -> None:
    cancelled = example("event.cancelled", sequence=2, time=world.now().isoformat())
    cancelled["data"] = {**held["data"]["event"], "version": 2}
    world.receive(cancelled)
    world.receive(order_by_old_facts(world, held, "h2"))
    world.deliver()
    assert world.subjects("h2") == ["Cancelled: Jazz does not take place"]
    assert len(world.subjects("h1")) == 1


@pytest.mark.parametrize("heard", ["before", "after"])
def test_an_order_that_met_a_cancellation_is_confirmed_when_the_event_takes_place_again(
    world: World, held: dict, heard: str
) -> None:
    world.settings = replace(world.settings, confirm_orders=True)
    order = order_by_old_facts(world, held, "h2")
    if heard == "before":
        world.receive(order)
    world.change(held, 2, "event.cancelled")
    if heard == "after":
        world.receive(order)
    world.change(held, 3, "event.scheduled")
    world.deliver()
    assert world.subjects("h2") == ["Your ticket for Jazz"]
    deliver_settled(world)
    assert world.subjects("h2") == ["Your ticket for Jazz"]


def test_a_reminder_that_left_before_the_second_cancellation_is_taken_back(world: World, held: dict) -> None:
    world.change(held, 2, "event.cancelled")
    world.deliver()
    world.change(held, 3, "event.scheduled", starts_in=timedelta(minutes=90))
    world.deliver()
    assert len(world.reminders()) == 1
    world.change(held, 4, "event.cancelled", starts_in=timedelta(minutes=90))
    deliver_settled(world)
    assert world.subjects()[-1] == "Cancelled: Jazz does not take place"
    assert len(world.subjects()) == 3


def test_a_reminder_that_told_of_a_change_that_was_taken_back_is_put_right(world: World) -> None:
    first = world.order(starts_in=timedelta(minutes=110), location="Kota Tua")
    world.deliver()
    world.change(first, 2, starts_in=timedelta(minutes=100), location="Place B")
    world.deliver()
    assert len(world.reminders()) == 2
    world.change(first, 3)
    deliver_settled(world)
    assert len(world.subjects()) == 3
    assert "Place before: Place B" in text_of(world.server.mails[-1])


@pytest.mark.parametrize("together", [False, True])
def test_an_order_heard_of_after_the_cancellation_was_told_is_told_of_it(
    world: World, held: dict, together: bool
) -> None:
    world.change(held, 2, "event.cancelled")
    world.deliver()
    orders = [order_by_old_facts(world, held, holder) for holder in ("h2", "h3")]
    if together:
        world.receive_together(orders)
    else:
        for order in orders:
            world.receive(order)
    world.deliver()
    world.deliver()
    for holder in ("h1", "h2", "h3"):
        assert world.subjects(holder) == ["Cancelled: Jazz does not take place"]


def test_an_order_heard_of_after_a_cancelled_event_was_edited_is_told_of_the_cancellation(
    world: World, held: dict
) -> None:
    world.change(held, 2, "event.cancelled")
    world.deliver()
    world.change(held, 3, status="cancelled", location="Place B")
    world.receive(order_by_old_facts(world, held, "h2"))
    world.deliver()
    assert len(world.subjects("h1")) == len(world.subjects("h2")) == 1


def test_an_order_for_an_event_that_was_heard_of_first_as_cancelled_is_told_of_it(world: World) -> None:
    held = example("ticket.ordered")
    held["data"]["event"].update(id="e9", version=1, starts_at=(world.now() + DAY).isoformat(), ends_at=None)
    world.change(held, 2, "event.cancelled")
    world.receive(order_by_old_facts(world, held, "h2"))
    world.deliver()
    assert len(world.subjects("h2")) == 1


@pytest.mark.parametrize("kind", ["event.cancelled", "event.deleted", "event.updated"])
def test_a_cancelled_deleted_or_withdrawn_event_is_told_at_once_and_once(
    world: World, held: dict, kind: str
) -> None:
    world.change(held, 2, kind, **({"status": "draft"} if kind == "event.updated" else {}))
    world.deliver()
    world.deliver()
    world.later(DAY)
    world.deliver()
    assert world.subjects() == ["Cancelled: Jazz does not take place"]


def test_an_event_that_was_cancelled_and_then_deleted_is_told_once(world: World, held: dict) -> None:
    world.change(held, 2, "event.cancelled")
    world.deliver()
    world.change(held, 3, "event.deleted")
    world.deliver()
    assert len(world.subjects()) == 1


def test_a_move_that_is_not_told_yet_gives_way_to_a_cancellation(world: World, held: dict) -> None:
    world.change(held, 2, starts_in=2 * DAY)
    world.change(held, 3, "event.cancelled", starts_in=2 * DAY)
    deliver_settled(world)
    [mail] = world.server.mails
    assert mail["Subject"].startswith("Cancelled:")


def test_an_event_that_takes_place_after_all_is_told_and_reminded_of(world: World, held: dict) -> None:
    world.change(held, 2, "event.cancelled")
    world.deliver()
    world.change(held, 3, "event.scheduled")
    deliver_settled(world)
    assert world.subjects()[1].startswith("Takes place after all: Jazz")
    world.later(DAY - timedelta(hours=2))
    world.deliver()
    assert world.subjects()[2].startswith("Reminder:")


def test_a_cancellation_that_nobody_heard_of_is_not_taken_back_either(world: World, held: dict) -> None:
    world.change(held, 2, "event.cancelled")
    world.change(held, 3, "event.scheduled")
    deliver_settled(world)
    assert world.subjects() == []


def test_a_ticket_refunded_because_of_the_cancellation_is_told_of_it(world: World, held: dict) -> None:
    world.change(held, 2, "event.cancelled")
    world.give_back("e1", "h1", "e1-h1")
    world.deliver()
    assert len(world.subjects()) == 1


def test_a_ticket_given_back_before_the_change_is_told_nothing(world: World, held: dict) -> None:
    world.give_back("e1", "h1", "e1-h1")
    world.change(held, 2, location="Place B")
    world.change(held, 3, "event.cancelled")
    deliver_settled(world)
    assert world.subjects() == []


def test_changes_of_an_event_that_has_started_are_told_to_nobody(world: World, held: dict) -> None:
    world.later(DAY + timedelta(minutes=1))
    world.change(held, 2, starts_in=-DAY)
    world.change(held, 3, location="Place B", starts_in=-DAY)
    world.change(held, 4, "event.cancelled", starts_in=-DAY)
    deliver_settled(world)
    assert world.subjects() == []


def test_a_completed_event_is_no_cancelled_one(world: World, held: dict) -> None:
    world.change(held, 2, status="completed")
    world.deliver()
    assert world.subjects() == []


def test_a_move_to_within_minutes_is_told_at_once(world: World, held: dict) -> None:
    world.change(held, 2, starts_in=timedelta(seconds=100))
    world.deliver()
    assert any(subject.startswith("Moved:") for subject in world.subjects())


def test_reminders_follow_and_are_armed_again_and_moving_back_sends_none_twice(world: World) -> None:
    first = world.order(starts_in=timedelta(hours=2))
    world.deliver()
    world.change(first, 2, starts_in=timedelta(hours=5))
    world.later(timedelta(hours=3))
    world.deliver()
    assert len(world.reminders()) == 2
    third = world.order(event="e2", starts_in=timedelta(hours=2))
    world.deliver()
    world.change(third, 2, starts_in=timedelta(hours=9))
    world.change(third, 3)
    world.deliver()
    assert len(world.reminders()) == 3


def test_a_mail_on_the_wire_when_its_event_moves_is_not_sent_again(world: World) -> None:
    from services.notifications import leases

    message = world.order(starts_in=timedelta(hours=2))
    world.plan()
    claims = world.claim()
    with world.engine.begin() as connection:
        leases.mark_sending(connection, claims, world.now(), world.settings.lease)
    world.change(message, 2, starts_in=timedelta(hours=9))
    world.later(world.settings.lease)
    world.deliver()
    assert world.reminders() == []
    assert world.story()[0][2:] == ("suppressed", "event moved")


def test_a_holder_whose_address_changed_gets_the_notice_at_the_new_one(world: World, held: dict) -> None:
    world.change(held, 2, location="Place B")
    moved = example("user.updated", sequence=5)
    moved["data"].update(id="h1", version=5, email="new@dicoevent.example", locale="id")
    world.receive(moved)
    deliver_settled(world)
    assert world.server.addresses() == ["new@dicoevent.example"]
    assert world.subjects()[0].startswith("Dipindahkan:")


def test_a_notice_has_the_calendar_entry_with_the_same_uid_and_a_larger_sequence(
    world: World, held: dict
) -> None:
    from icalendar import Calendar

    world.settings = replace(world.settings, confirm_orders=True)
    world.order(ticket="t9", holder="h9", name="Jazz", location="Kota Tua", starts_in=DAY)
    world.deliver()
    world.change(held, 2, location="Place B")
    deliver_settled(world)
    world.change(held, 3, "event.cancelled", location="Place B")
    world.deliver()
    mails = [m for m in world.server.mails if m["To"].addresses[0].addr_spec.startswith("h9@")]
    parts = [next(p for p in mail.walk() if p.get_content_type() == "text/calendar") for mail in mails]
    calendars = [Calendar.from_ical(part.get_payload(decode=True)) for part in parts]
    entries = [next(iter(calendar.walk("VEVENT"))) for calendar in calendars]
    assert [calendar["METHOD"] for calendar in calendars] == ["PUBLISH", "PUBLISH", "CANCEL"]
    assert [part["Content-Type"].params["method"] for part in parts] == ["PUBLISH", "PUBLISH", "CANCEL"]
    assert len({str(entry["UID"]) for entry in entries}) == 1
    assert [int(entry["SEQUENCE"]) for entry in entries] == [1, 2, 3]
    assert str(entries[1]["LOCATION"]) == "Place B"
