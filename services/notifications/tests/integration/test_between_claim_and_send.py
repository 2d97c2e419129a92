"""What happens while a delivery is in a worker's hands still counts: nothing has left yet."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.notifications import commands, suppression
from services.notifications.link_tokens import UnsubscribeLink
from services.notifications.model import Answer
from services.notifications.rounds import Rounds
from services.notifications.tests.integration.conftest import World
from shared.testing import example

HOUR = timedelta(hours=1)


def give_back(world: World, message: dict) -> None:
    data = message["data"]
    world.give_back(data["event"]["id"], data["holder"]["id"], data["ticket"]["id"])


def hand_over(world: World, message: dict) -> None:
    data = {**message["data"], "holder": {**message["data"]["holder"], "id": "new", "email": "new@d.example"}}
    world.receive({**message, "id": "over", "type": "ticket.updated", "sequence": 2, "data": data})


def cancel(world: World, message: dict) -> None:
    world.change(message, 2, "event.cancelled")


def delete(world: World, message: dict) -> None:
    world.change(message, 2, "event.deleted")


def move(world: World, message: dict) -> None:
    world.change(message, 2, starts_in=9 * HOUR)


def take_lead_away(world: World, message: dict) -> None:
    world.change(message, 2, reminders=[10])


def forget(world: World, message: dict) -> None:
    world.receive({**example("user.deleted", sequence=9), "data": {"id": message["data"]["holder"]["id"]}})


def unsubscribe(world: World, message: dict) -> None:
    link = UnsubscribeLink(message["data"]["holder"]["id"], "")
    with world.engine.begin() as connection:
        commands.change_subscription(connection, link, "all", world.settings)


def suppress(world: World, message: dict) -> None:
    with world.engine.begin() as connection:
        suppression.suppress_address(connection, message["data"]["holder"]["email"], "x", "", world.now())


def let_it_start(world: World, message: dict) -> None:
    world.later(HOUR)


CHANGES = [
    give_back, hand_over, cancel, delete, move, take_lead_away, forget, unsubscribe, suppress, let_it_start,
]  # fmt: skip


@pytest.mark.parametrize("said", [Answer(250, "taken"), Answer(451, "later")], ids=["smooth", "refused"])
def test_a_reminder_that_must_not_go_out_any_more_is_not_sent(world: World, said: Answer) -> None:
    world.order(event="other", holder="first")
    messages = [
        world.order(event=f"e{n}", holder=f"h{n}", starts_in=HOUR if change is let_it_start else 2 * HOUR)
        for n, change in enumerate(CHANGES)
    ]
    world.plan()
    claims = {claim.holder_id: claim for claim in world.claim()}
    assert len(claims) == len(CHANGES) + 1
    first = claims.pop("first")
    rounds = Rounds(world.engine, world.settings)
    assert rounds.turn([], [first]) == {first.id}
    for change, message in zip(CHANGES, messages, strict=True):
        change(world, message)
    sent = Rounds(world.engine, world.settings).turn([(first, said)], list(claims.values()))
    assert [change.__name__ for n, change in enumerate(CHANGES) if claims[f"h{n}"].id in sent] == []


def test_of_two_tickets_the_one_that_is_given_back_is_not_in_the_mail(world: World) -> None:
    world.order()
    world.receive_code("t2", "ZZTOP")
    world.plan()
    claims = world.claim()
    world.give_back("e1", "h1", "e1-h1")
    assert Rounds(world.engine, world.settings).turn([], claims) == set()
    world.deliver()
    [mail] = world.reminders()
    text = mail.get_body(("plain",)).get_content()
    assert "ZZTOP" in text
    assert "K7WQ2M9XPA" not in text


def test_a_new_address_is_used(world: World) -> None:
    world.order()
    world.plan()
    claims = world.claim()
    moved = example("user.updated", sequence=5)
    moved["data"].update(id="h1", version=5, email="new@dicoevent.example")
    world.receive(moved)
    assert Rounds(world.engine, world.settings).turn([], claims) == set()
    world.deliver()
    assert world.server.addresses() == ["new@dicoevent.example"]


def test_a_ticket_that_goes_over_while_its_confirmation_is_on_the_wire_is_confirmed_to_its_new_holder(
    world: World,
) -> None:
    world.settings = replace(world.settings, confirm_orders=True)
    message = world.order(starts_in=9 * HOUR)
    world.plan()
    claims = world.claim()
    rounds = Rounds(world.engine, world.settings)
    rounds.turn([], claims)
    hand_over(world, message)
    rounds.turn([(claim, Answer(451, "later")) for claim in claims], [])
    for _ in range(2):
        world.deliver()
    assert world.server.addresses() == ["new@d.example"]
