"""An order is confirmed by one mail, whatever becomes of the reminder that was to do so."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from services.notifications import commands
from services.notifications.link_tokens import UnsubscribeLink
from services.notifications.model import Answer
from services.notifications.recipients import COVERED, UNSUBSCRIBED
from services.notifications.rounds import Rounds
from services.notifications.tests.integration.conftest import World

HOUR = timedelta(hours=1)
CONFIRMED = "Your ticket for Malam Jazz di Kota Tua"
LATER = "451 4.3.0 later"
REFUSED = Answer(451, "4.3.0 later")


@pytest.fixture
def shop(world: World) -> World:
    world.settings = replace(world.settings, confirm_orders=True)
    return world


def subscribe(shop: World, wanted: str) -> None:
    """The first holder uses the link in a mail: `all` ends his reminders, `none` has them again."""
    with shop.engine.begin() as connection:
        commands.change_subscription(connection, UnsubscribeLink("h1", "boss"), wanted, shop.settings)


def texts(shop: World) -> list[str]:
    return [mail.get_body(("plain",)).get_content() for mail in shop.server.mails]


def move(shop: World, message: dict) -> None:
    shop.change(message, 2, starts_in=24 * HOUR)


def take_lead_away(shop: World, message: dict) -> None:
    shop.change(message, 2, reminders=[10])


def unsubscribe(shop: World, message: dict) -> None:
    subscribe(shop, "all")


def answer_meanwhile(shop: World, change: Callable[[World, dict], None], message: dict, said: Answer) -> None:
    """The change comes while what is due is on the wire; then the relay answers."""
    shop.plan()
    rounds, claims = Rounds(shop.engine, shop.settings), shop.claim()
    assert rounds.turn([], claims) == {claim.id for claim in claims}
    change(shop, message)
    rounds.turn([(claim, said) for claim in claims], [])


@pytest.mark.parametrize("change", [unsubscribe, move, take_lead_away])
@pytest.mark.parametrize("on_the_wire", [False, True], ids=["waiting", "on the wire"])
def test_what_ends_a_reminder_that_was_to_confirm_leaves_a_plain_confirmation(
    shop: World, change: Callable[[World, dict], None], on_the_wire: bool
) -> None:
    message = shop.order(organizer_id="boss", starts_in=HOUR)
    if on_the_wire:
        answer_meanwhile(shop, change, message, REFUSED)
    else:
        change(shop, message)
    for _ in range(2):
        shop.deliver()
    assert shop.subjects() == [CONFIRMED]


def test_a_reminder_that_was_taken_while_its_holder_unsubscribed_has_confirmed_his_order(shop: World) -> None:
    message = shop.order(organizer_id="boss", starts_in=HOUR)
    answer_meanwhile(shop, unsubscribe, message, Answer(250, "taken"))
    shop.deliver()
    assert shop.subjects() == []
    assert [row[2] for row in shop.story()] == ["accepted"]


def test_who_unsubscribes_and_comes_back_before_anything_left_gets_one_mail(shop: World) -> None:
    shop.order(organizer_id="boss", starts_in=HOUR)
    for wanted in ("all", "none", "all", "none"):
        subscribe(shop, wanted)
    shop.deliver()
    assert shop.subjects() == ["Reminder: Malam Jazz di Kota Tua starts in one hour"]
    assert "Your order is confirmed" in texts(shop)[0]


def test_who_comes_back_after_his_order_was_confirmed_gets_a_plain_reminder(shop: World) -> None:
    shop.order(organizer_id="boss", starts_in=HOUR)
    subscribe(shop, "all")
    shop.deliver()
    subscribe(shop, "none")
    shop.deliver()
    assert shop.subjects() == [CONFIRMED, "Reminder: Malam Jazz di Kota Tua starts in one hour"]
    assert "Your order is confirmed" not in texts(shop)[1]


def test_who_unsubscribes_while_his_reminder_is_on_the_wire_and_comes_back_is_reminded(shop: World) -> None:
    shop.settings = replace(shop.settings, confirm_orders=False)
    message = shop.order(organizer_id="boss", starts_in=HOUR)
    answer_meanwhile(shop, unsubscribe, message, REFUSED)
    shop.deliver()
    assert [row[2:] for row in shop.story()] == [("suppressed", UNSUBSCRIBED)]
    subscribe(shop, "none")
    shop.deliver()
    assert len(shop.reminders()) == 1


def test_a_reminder_that_waits_hands_its_confirmation_on_to_the_nearer_one(shop: World) -> None:
    shop.server.answers["h1@dicoevent.example"] = LATER
    shop.order(reminders=[1440, 120], starts_in=20 * HOUR)
    shop.deliver()
    shop.server.answers.clear()
    shop.later(18 * HOUR)
    shop.deliver()
    assert shop.subjects() == ["Reminder: Malam Jazz di Kota Tua starts in two hours"]
    assert "Your order is confirmed" in texts(shop)[0]
    assert shop.story()[0][2:] == ("suppressed", COVERED)


def test_a_move_and_a_move_back_remind_whom_the_relay_refused_meanwhile(shop: World) -> None:
    shop.settings = replace(shop.settings, confirm_orders=False)
    message = shop.order(starts_in=HOUR)
    answer_meanwhile(shop, move, message, REFUSED)
    shop.deliver()
    shop.change(message, 3)
    shop.deliver()
    assert len(shop.reminders()) == 1
