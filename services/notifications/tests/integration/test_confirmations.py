"""An order is confirmed by mail; inside a lead time the confirmation is the reminder: one mail, not two."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.notifications.recipients import EVENT_OFF, TICKET_GONE
from services.notifications.tests.integration.conftest import World
from shared.testing import example

DAY = timedelta(days=1)


@pytest.fixture
def shop(world: World) -> World:
    world.settings = replace(world.settings, confirm_orders=True)
    return world


def text_of(mail) -> str:
    return mail.get_body(("plain",)).get_content()


def pictures(mail) -> list[bytes]:
    return [part.get_content() for part in mail.walk() if part.get_content_type() == "image/png"]


def test_an_order_is_confirmed_with_its_code_a_picture_of_it_and_the_calendar_entry(shop: World) -> None:
    shop.order(name="Jazz", starts_in=DAY)
    shop.deliver()
    shop.deliver()
    [mail] = shop.server.mails
    assert mail["Subject"] == "Your ticket for Jazz"
    assert "K7WQ2M9XPA (Reguler)" in text_of(mail)
    [picture] = pictures(mail)
    assert picture.startswith(b"\x89PNG")
    html = mail.get_body(("html", "related"))
    assert 'src="cid:ticket-qr"' in mail.get_body(("html",)).get_content(), html
    assert any(part.get_content_type() == "text/calendar" for part in mail.walk())
    assert "List-Unsubscribe" not in mail
    shop.later(DAY - timedelta(hours=2))
    shop.deliver()
    assert shop.subjects()[1] == "Reminder: Jazz starts in two hours"
    assert pictures(shop.server.mails[1]) == []


def test_inside_the_lead_time_it_is_one_mail_the_reminder_with_the_true_remaining_time(shop: World) -> None:
    shop.order(name="Jazz", starts_in=timedelta(minutes=95))
    for _ in range(3):
        shop.deliver()
    [mail] = shop.server.mails
    assert mail["Subject"] == "Reminder: Jazz starts in 1 hour 35 minutes"
    assert "Your order is confirmed" in text_of(mail)
    assert len(pictures(mail)) == 1


def test_a_second_order_inside_the_lead_time_is_confirmed_without_the_word_reminder(shop: World) -> None:
    shop.order(ticket="t1", name="Jazz", starts_in=timedelta(hours=1))
    shop.deliver()
    shop.order(ticket="t2", name="Jazz", starts_in=timedelta(hours=1))
    shop.deliver()
    assert shop.subjects() == ["Reminder: Jazz starts in one hour", "Your ticket for Jazz"]


@pytest.mark.parametrize("notify", [True, False])
def test_without_confirmation_the_reminder_still_comes(shop: World, notify: bool) -> None:
    shop.settings = replace(shop.settings, confirm_orders=not notify)
    for event, starts_in in (("near", timedelta(hours=1)), ("far", DAY)):
        message = example("ticket.ordered")
        message["data"]["event"].update(id=event, starts_at=(shop.now() + starts_in).isoformat())
        message["data"]["ticket"]["id"] = event
        message["data"]["notify"] = notify
        shop.receive(message)
    shop.deliver()
    [mail] = shop.server.mails
    assert mail["Subject"].startswith("Pengingat:")
    assert "dikonfirmasi" not in text_of(mail)
    assert pictures(mail) == []


def test_an_order_that_is_cancelled_before_its_confirmation_left_is_not_confirmed(shop: World) -> None:
    shop.order(ticket="t1", starts_in=DAY)
    shop.order(ticket="t2", starts_in=DAY)
    shop.give_back("e1", "h1", "t1")
    shop.deliver()
    assert len(shop.subjects()) == 1
    assert [row[2:] for row in shop.story()] == [("suppressed", TICKET_GONE), ("accepted", "")]


def test_a_reminder_that_stood_for_a_cancelled_order_stays_a_reminder(shop: World) -> None:
    shop.order(ticket="t1", starts_in=timedelta(hours=1))
    shop.order(ticket="t2", starts_in=timedelta(hours=1))
    shop.give_back("e1", "h1", "t1")
    shop.deliver()
    [reminder] = shop.reminders()
    assert "Your order is confirmed" not in text_of(reminder)


def test_the_same_order_again_is_not_confirmed_again(shop: World) -> None:
    message = shop.order(starts_in=DAY)
    shop.deliver()
    shop.receive({**message, "id": "again"})
    shop.receive({**message, "id": "newer", "sequence": 7})
    shop.receive({**message, "id": "changed", "sequence": 8, "type": "ticket.updated"})
    shop.deliver()
    assert len(shop.subjects()) == 1


def test_an_old_order_out_of_a_rebuilt_feed_is_history(shop: World) -> None:
    message = example("ticket.ordered", feedposition=5, feedepoch="e")
    message["time"] = (shop.now() - timedelta(days=3)).isoformat()
    shop.receive(message)
    assert shop.story(message["data"]["holder"]["id"]) == []


def test_an_order_for_an_event_that_has_started_is_not_confirmed(shop: World) -> None:
    shop.order(starts_in=timedelta(minutes=-1))
    shop.deliver()
    assert shop.subjects() == []


def test_a_confirmation_that_waits_follows_its_event(shop: World) -> None:
    shop.server.answers["h1@dicoevent.example"] = "451 later"
    message = shop.order(starts_in=timedelta(hours=5))
    shop.deliver()
    shop.server.answers.clear()
    shop.change(message, 2, starts_in=2 * DAY)
    shop.later(timedelta(hours=6))
    shop.deliver()
    assert any(subject.startswith("Your ticket") for subject in shop.subjects())


def test_a_reminder_that_would_have_confirmed_leaves_a_confirmation_when_the_event_moves(shop: World) -> None:
    message = shop.order(starts_in=timedelta(hours=1))
    shop.change(message, 2, starts_in=DAY)
    shop.deliver()
    assert shop.subjects() == ["Your ticket for Malam Jazz di Kota Tua"]


def test_a_cancelled_event_confirms_nothing(shop: World) -> None:
    message = shop.order(starts_in=DAY)
    shop.change(message, 2, "event.cancelled")
    shop.deliver()
    assert shop.story()[0][2:] == ("suppressed", EVENT_OFF)
    assert [subject.split(":")[0] for subject in shop.subjects()] == ["Cancelled"]


def test_a_reminder_has_all_codes_of_a_person_however_many_orders(shop: World) -> None:
    for n in range(3):
        message = shop.order(ticket=f"t{n}", starts_in=DAY)
        assert message["data"]["ticket"]["code"]
    shop.receive_code("t3", "ZZTOP")
    shop.later(DAY - timedelta(hours=2))
    shop.deliver()
    [reminder] = shop.reminders()
    assert "K7WQ2M9XPA" in text_of(reminder)
    assert "ZZTOP" in text_of(reminder)


def test_a_covered_reminder_that_was_to_confirm_leaves_that_to_the_nearer_one(
    world: World,
) -> None:
    world.settings = replace(world.settings, confirm_orders=True)
    world.order(starts_in=timedelta(minutes=121), reminders=[122, 120])
    world.later(timedelta(minutes=2))
    world.deliver()
    [mail] = world.server.mails
    assert mail["Subject"].startswith("Reminder: ")
    assert "Your order is confirmed." in mail.get_body(("plain",)).get_content()
