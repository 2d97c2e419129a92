"""What holders are promised."""

from copy import deepcopy
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from services.notifications.tests.integration.conftest import World
from shared.testing import example


def text_of(mail) -> str:
    return mail.get_body(("plain",)).get_content()


def test_one_injected_order_alone_gets_its_reminder(world: World) -> None:
    world.order(name="Jazz", location="Kota Tua", timezone="Asia/Jakarta")
    world.deliver()
    [mail] = world.server.mails
    assert mail["To"].addresses[0].addr_spec == "h1@dicoevent.example"
    assert mail["Subject"] == "Reminder: Jazz starts in two hours"
    assert "Jazz starts in two hours" in text_of(mail)
    assert "Kota Tua" in text_of(mail)
    assert "Asia/Jakarta" in text_of(mail)
    assert "Jazz" in mail.get_body(("html",)).get_content()


def test_nothing_is_sent_before_the_lead_time(world: World) -> None:
    world.order(starts_in=timedelta(hours=2, minutes=1))
    world.deliver()
    assert world.server.mails == []
    world.later(timedelta(minutes=1))
    world.deliver()
    assert world.states() == {"h1": "accepted"}


def test_each_holder_is_reminded_once_however_often_it_is_asked(world: World) -> None:
    for holder in ("h1", "h2", "h3"):
        world.order(holder=holder)
    for _ in range(5):
        world.deliver()
    assert sorted(world.server.addresses()) == [f"h{n}@dicoevent.example" for n in (1, 2, 3)]


def test_two_tickets_of_one_person_are_one_mail(world: World) -> None:
    world.order(ticket="t1")
    world.order(ticket="t2")
    world.deliver()
    world.order(ticket="t3")
    world.deliver()
    assert len(world.server.mails) == 1


def test_the_same_message_twice_is_one_effect(world: World) -> None:
    message = world.order()
    world.deliver()
    world.receive(message)
    world.deliver()
    assert len(world.server.mails) == 1


def test_who_orders_inside_the_lead_time_is_told_the_true_remaining_time(world: World) -> None:
    world.order(holder="early", starts_in=timedelta(minutes=95))
    world.deliver()
    world.order(holder="late", starts_in=timedelta(minutes=95))
    world.deliver()
    assert len(world.server.mails) == 2
    assert all("starts in 1 hour 35 minutes" in text_of(mail) for mail in world.server.mails)


def test_a_reminder_that_was_due_while_all_was_down_is_sent_if_the_event_has_not_started(
    world: World,
) -> None:
    world.order(starts_in=timedelta(hours=3))
    world.later(timedelta(hours=2, minutes=30))
    world.deliver()
    assert "starts in 30 minutes" in text_of(world.server.mails[0])


def test_after_the_start_it_is_recorded_as_expired_and_not_sent(world: World) -> None:
    world.order(starts_in=timedelta(hours=3))
    world.later(timedelta(hours=4))
    world.deliver()
    assert world.states() == {"h1": "expired"}
    assert world.server.mails == []


def test_a_cancelled_ticket_gets_no_reminder_and_a_new_one_does(world: World) -> None:
    world.order(ticket="t1", starts_in=timedelta(hours=3))
    gone = example("ticket.cancelled", sequence=2)
    gone["data"] = {"ticket_id": "t1", "event_id": "e1", "holder_id": "h1"}
    world.receive(gone)
    world.later(timedelta(hours=1))
    world.deliver()
    assert world.server.mails == []
    world.order(ticket="t2", starts_in=timedelta(hours=2))
    world.deliver()
    assert len(world.server.mails) == 1


def test_a_cancelled_event_reminds_nobody(world: World) -> None:
    message = world.order(starts_in=timedelta(hours=3))
    off = example("event.cancelled", sequence=9)
    off["data"] = {**message["data"]["event"], "version": 9}
    world.receive(off)
    world.later(timedelta(hours=1, minutes=5))
    world.deliver()
    assert world.reminders() == []


def test_a_moved_event_reminds_at_its_new_time_only(world: World) -> None:
    message = world.order(starts_in=timedelta(hours=3))
    moved = example("event.updated", sequence=2)
    start = (world_now(world) + timedelta(hours=6)).isoformat()
    moved["data"] = {**message["data"]["event"], "version": 2, "starts_at": start}
    world.receive(moved)
    world.later(timedelta(hours=1, minutes=30))
    world.deliver()
    assert world.reminders() == []
    world.later(timedelta(hours=2, minutes=30))
    world.deliver()
    assert len(world.reminders()) == 1


def world_now(world: World):
    with world.engine.connect() as connection:
        return connection.scalar(sa.text("SELECT now()")) + world.settings.clock_offset


def test_an_older_version_of_an_event_changes_nothing(world: World) -> None:
    message = world.order(name="New")
    old = example("event.updated", sequence=0)
    old["data"] = {**message["data"]["event"], "version": 0, "name": "Old"}
    world.receive(old)
    world.deliver()
    assert "New" in world.server.mails[0]["Subject"]


def test_indonesian_holders_are_reminded_in_indonesian(world: World) -> None:
    message = example("ticket.ordered")
    message["data"]["event"]["starts_at"] = (world_now(world) + timedelta(hours=1)).isoformat()
    world.receive(message)
    world.deliver()
    [mail] = world.server.mails
    assert mail["Subject"] == "Pengingat: Malam Jazz di Kota Tua dimulai satu jam lagi"
    assert "WIB" in text_of(mail)


def test_markup_in_names_reaches_nobody_as_markup(world: World) -> None:
    world.order(name="<script>alert(1)</script>\r\nBcc: all@dicoevent.example", location="<b>here</b>")
    world.deliver()
    [mail] = world.server.mails
    assert mail["Bcc"] is None
    assert "<script>" not in mail.get_body(("html",)).get_content()
    assert "&lt;b&gt;here" in mail.get_body(("html",)).get_content()


def test_a_deleted_person_is_forgotten_everywhere_and_not_reminded(world: World) -> None:
    world.order(starts_in=timedelta(hours=3))
    world.receive({"not": "an envelope", "address": "h1@dicoevent.example"})
    gone = example("user.deleted", sequence=9)
    gone["data"] = {"id": "h1"}
    world.receive(gone)
    world.later(timedelta(hours=1))
    world.deliver()
    assert world.server.mails == []
    with world.engine.connect() as connection:
        for table in ("holders", "deliveries", "dead_letters"):
            found = connection.scalar(
                sa.text(f"SELECT count(*) FROM {table} AS t WHERE t::text LIKE '%h1@dicoevent%'")
            )
            assert found == 0, table


def transfer(world: World, message: dict, version: int, event: str = "", holder: str = "") -> None:
    """The order of a message goes over to another holder or another event."""
    changed = {
        **message,
        "id": f"transfer-{version}-{message['data']['ticket']['id']}",
        "type": "ticket.updated",
        "sequence": version,
    }
    data = changed["data"] = deepcopy(message["data"])
    if event:
        data["event"]["id"] = event
    if holder:
        data["holder"].update(id=holder, email=f"{holder}@dicoevent.example")
    world.receive(changed)


def test_a_ticket_that_goes_over_to_another_person_reminds_him_and_not_the_former_holder(
    world: World,
) -> None:
    given = world.order(holder="h1", ticket="t1")
    both = world.order(holder="h2", ticket="t2")
    world.order(holder="h2", ticket="t3")
    transfer(world, given, 2, holder="h3")
    transfer(world, both, 2, holder="h4")
    world.deliver()
    assert sorted(world.server.addresses()) == [f"h{n}@dicoevent.example" for n in (2, 3, 4)]


def test_a_ticket_that_goes_over_to_another_event_reminds_of_that_one_alone(world: World) -> None:
    message = world.order(event="e1", ticket="t1", name="Jazz", starts_in=timedelta(minutes=90))
    world.order(event="e2", holder="h2", name="Blues", starts_in=timedelta(hours=1))
    other = deepcopy(message)
    other["data"]["event"].update(
        name="Blues", starts_at=(world.now() + timedelta(hours=1)).isoformat(), version=1
    )
    transfer(world, other, 2, event="e2")
    world.deliver()
    assert world.subjects("h1") == ["Reminder: Blues starts in one hour"]


@pytest.mark.parametrize("starts_in", [timedelta(hours=1), timedelta(days=1)])
def test_a_confirmation_that_waits_goes_over_with_its_ticket(world: World, starts_in: timedelta) -> None:
    world.settings = replace(world.settings, confirm_orders=True)
    message = world.order(holder="h1", ticket="t1", starts_in=starts_in)
    transfer(world, message, 2, holder="h2")
    world.deliver()
    assert world.subjects("h1") == []
    [mail] = world.server.mails
    assert [part for part in mail.walk() if part.get_content_type() == "image/png"]
    transfer(world, message, 3, holder="h3")
    world.deliver()
    assert not any(subject.startswith("Your ticket") for subject in world.subjects("h3"))
