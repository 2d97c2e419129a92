"""Any number of lead times: each is a reminder, and nobody gets two in one moment."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from services.notifications.recipients import COVERED, LEAD_GONE
from services.notifications.settings import read_reminders
from services.notifications.tests.integration.conftest import World

DAY = timedelta(days=1)


def text_of(mail) -> str:
    return mail.get_body(("plain",)).get_content()


def test_each_lead_time_of_an_event_is_a_reminder(world: World) -> None:
    world.order(reminders=[1440, 120], starts_in=timedelta(hours=25))
    world.deliver()
    assert world.subjects() == []
    for hours, said in ((1, "1 day"), (22, "two hours")):
        world.later(timedelta(hours=hours))
        world.deliver()
        world.deliver()
        assert f"starts in {said}" in world.subjects()[-1]
    assert len(world.subjects()) == 2


def test_an_event_without_lead_times_has_no_reminder(world: World) -> None:
    world.order(reminders=[], starts_in=timedelta(hours=1))
    world.deliver()
    assert world.story() == []


@pytest.mark.parametrize("orders", [1, 3])
def test_of_several_that_are_due_at_once_only_the_nearest_to_the_start_is_sent(
    world: World, orders: int
) -> None:
    world.settings = replace(world.settings, lead=timedelta(hours=3))
    for n in range(orders):
        world.order(ticket=f"t{n}", reminders=[1440, 600, 120], starts_in=2 * DAY)
    world.later(2 * DAY - timedelta(hours=1))
    world.deliver()
    assert len(world.subjects()) == 1
    assert world.story() == [
        ("reminder", 1440, "suppressed", COVERED),
        ("reminder", 600, "suppressed", COVERED),
        ("reminder", 120, "accepted", ""),
    ]


def test_who_orders_when_several_are_due_gets_one_and_the_rest_on_record(world: World) -> None:
    world.order(holder="h0", reminders=[1440, 120], starts_in=timedelta(hours=1))
    world.deliver()
    world.order(holder="h1", reminders=[1440, 120], starts_in=timedelta(hours=1))
    world.deliver()
    assert len(world.subjects("h1")) == 1
    assert ("reminder", 1440, "suppressed", COVERED) in world.story("h1")


def test_a_reminder_that_waits_for_the_mail_server_is_covered_by_the_next(world: World) -> None:
    world.order(reminders=[1440, 120], starts_in=DAY)
    world.server.answers["h1@dicoevent.example"] = "451 4.7.1 later"
    world.deliver()
    world.server.answers.clear()
    world.later(timedelta(hours=22))
    world.deliver()
    assert world.subjects() == ["Reminder: Malam Jazz di Kota Tua starts in two hours"]


def test_a_lead_time_that_is_taken_away_reminds_nobody(world: World) -> None:
    message = world.order(reminders=[600, 120], starts_in=timedelta(hours=9))
    world.server.answers["h1@dicoevent.example"] = "451 4.7.1 later"
    world.deliver()
    world.change(message, 2, reminders=[60])
    assert world.story() == [("reminder", 600, "suppressed", LEAD_GONE)]
    world.server.answers.clear()
    world.later(timedelta(hours=7, minutes=30))
    world.deliver()
    assert world.subjects() == []
    world.later(timedelta(minutes=30))
    world.deliver()
    assert len(world.subjects()) == 1


def test_a_lead_time_that_was_due_before_it_was_added_reminds_nobody_again(world: World) -> None:
    message = world.order(reminders=[120], starts_in=timedelta(hours=1))
    world.deliver()
    world.change(message, 2, reminders=[1440, 120, 90])
    world.deliver()
    assert len(world.subjects()) == 1
    assert {row[1:] for row in world.story()} >= {(90, "suppressed", COVERED)}


def test_reminder_lead_minutes_and_notice_settle_seconds_say_when(world: World) -> None:
    world.settings = read_reminders(
        {"REMINDER_LEAD_MINUTES": "90", "NOTICE_SETTLE_SECONDS": "5", "ORDER_CONFIRMATION": "off"}
    )
    message = world.order(starts_in=timedelta(hours=2))
    world.change(message, 2, location="Place B")
    world.deliver()
    assert world.subjects() == []
    world.later(timedelta(seconds=6))
    world.deliver()
    assert [subject.partition(":")[0] for subject in world.subjects()] == ["Moved"]
    world.later(timedelta(minutes=30))
    world.deliver()
    assert world.subjects()[1].endswith("starts in 1 hour 30 minutes")


def test_another_default_counts_for_events_that_name_none(world: World) -> None:
    world.order(event="plain", holder="a", starts_in=timedelta(hours=5))
    world.order(event="own", holder="b", starts_in=timedelta(hours=5), reminders=[60])
    world.settings = replace(world.settings, lead=timedelta(hours=5))
    world.deliver()
    assert world.server.addresses() == ["a@dicoevent.example"]
    with world.engine.connect() as connection:
        rows = connection.execute(
            sa.text("SELECT event_id, lead_minutes, state FROM reminder_schedules ORDER BY id")
        )
        assert [tuple(row) for row in rows] == [
            ("plain", 120, "superseded"),
            ("own", 60, "pending"),
            ("plain", 300, "done"),
        ]


def test_an_order_tells_of_an_event_only_what_it_knows(world: World) -> None:
    message = world.order(reminders=[600], reminder_note="Bring a torch.", starts_in=timedelta(hours=9))
    event = {k: v for k, v in message["data"]["event"].items() if not k.startswith("reminder")}
    later = {**message, "id": "another", "sequence": 1}
    later["data"] = {**message["data"], "event": {**event, "version": 2}, "ticket": {"id": "t2"}}
    world.receive(later)
    world.deliver()
    assert "Bring a torch." in text_of(world.server.mails[0])
    assert world.story()[0][1] == 600


def test_the_events_own_message_counts_after_an_order_of_the_same_version(world: World) -> None:
    message = world.order(starts_in=timedelta(hours=5))
    world.change(message, 1, reminders=[300])
    world.deliver()
    assert world.story()[0][:3] == ("reminder", 300, "accepted")


def test_a_run_by_hand_is_the_reminder_of_the_nearest_lead_time_that_is_due(world: World) -> None:
    from services.notifications.handlers import request_run

    world.order(reminders=[1440, 120], starts_in=timedelta(hours=20))
    world.deliver()
    with world.engine.begin() as connection:
        request_run(connection, "r1", "e1", False, world.settings)
    world.deliver()
    assert [row[:2] for row in world.story()] == [("reminder", 1440)]
    assert len(world.subjects()) == 1
