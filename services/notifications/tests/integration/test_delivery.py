"""What the sending loop promises when workers, mail servers and addresses fail."""

import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from email.policy import default

import sqlalchemy as sa

from services.notifications import leases, ledger, store
from services.notifications.handlers import request_run
from services.notifications.planning import plan_due
from services.notifications.tests.integration.conftest import World


def make_due(world: World, holders: int) -> None:
    for n in range(holders):
        world.order(holder=f"h{n}")
    plan_due(world.engine, world.settings)


def claim(world: World, limit: int = 100) -> list:
    with world.engine.begin() as connection:
        now = store.database_now(connection, world.settings.clock_offset)
        return leases.claim(connection, now, world.settings.lease, limit).claims


def test_two_workers_never_claim_the_same_delivery(world: World) -> None:
    make_due(world, 20)
    with ThreadPoolExecutor(4) as pool:
        hands = list(pool.map(lambda _: claim(world, 5), range(4)))
    ids = [delivery.id for hand in hands for delivery in hand]
    assert len(ids) == len(set(ids)) == 20


def test_what_a_dead_worker_had_claimed_is_sent_by_the_next(world: World) -> None:
    make_due(world, 3)
    claim(world)
    world.deliver()
    assert world.server.mails == []
    world.later(world.settings.lease)
    world.deliver()
    assert len(world.server.mails) == 3


def test_what_a_dead_worker_was_sending_is_sent_again_with_the_same_message_id(world: World) -> None:
    make_due(world, 1)
    claims = claim(world)
    with world.engine.begin() as connection:
        now = store.database_now(connection, world.settings.clock_offset)
        leases.mark_sending(connection, claims, now, world.settings.lease)
    first = message_from_bytes(world.composer.compose(claims[0])[1], policy=default)
    world.later(world.settings.lease)
    world.deliver()
    [mail] = world.server.mails
    assert mail["Message-ID"] == first["Message-ID"]
    assert mail["Date"] == first["Date"]
    plain = mail.get_body(("plain",)).get_content().replace("\r\n", "\n")
    assert plain == first.get_body(("plain",)).get_content().replace("\r\n", "\n")


def test_a_result_without_the_fence_counts_for_nothing(world: World) -> None:
    make_due(world, 1)
    [slow] = claim(world)
    world.later(world.settings.lease)
    world.deliver()
    assert world.states() == {"h0": "accepted"}
    with world.engine.begin() as connection:
        now = store.database_now(connection, world.settings.clock_offset)
        assert leases.mark_sending(connection, [slow], now, world.settings.lease) == set()


def test_a_refused_address_fails_alone(world: World) -> None:
    make_due(world, 3)
    world.server.answers["h1@dicoevent.example"] = "550 5.1.1 no such user"
    world.deliver()
    assert world.states() == {"h0": "accepted", "h1": "failed", "h2": "accepted"}


def test_a_passing_refusal_is_tried_again(world: World) -> None:
    make_due(world, 1)
    world.server.answers["h0@dicoevent.example"] = "451 4.7.1 greylisted"
    world.deliver()
    assert world.states() == {"h0": "retry"}
    world.server.answers.clear()
    world.later(timedelta(seconds=75))
    world.deliver()
    assert world.states() == {"h0": "accepted"}


def test_a_mail_server_that_is_away_costs_no_attempt(world: World) -> None:
    make_due(world, 2)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        world.mail = replace(world.mail, port=closed.getsockname()[1])
        assert world.deliver() == 0
    assert set(world.states().values()) == {"pending"}
    with world.engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT sum(attempts) FROM deliveries")) == 0


def test_asked_ten_times_inside_the_lead_time_nobody_gets_a_second_copy(world: World) -> None:
    make_due(world, 3)
    for n in range(10):
        ask(world, f"run-{n}", "e1")
        world.deliver()
    assert len(world.server.mails) == 3
    with world.engine.connect() as connection:
        run = ledger.get_run(connection, "run-9")
    assert (run["state"], run["events"], run["recipients"], run["accepted"]) == ("finished", 1, 3, 3)


def ask(world: World, run_id: str, event_id: str | None, again: bool = False) -> None:
    with world.engine.begin() as connection:
        request_run(connection, run_id, event_id, again, world.settings)


def test_by_hand_before_the_lead_time_is_once_each_and_the_automatic_one_still_comes(world: World) -> None:
    world.order(starts_in=timedelta(hours=5))
    for n in range(3):
        ask(world, f"run-{n}", "e1")
        world.deliver()
    assert len(world.server.mails) == 1
    ask(world, "again", "e1", again=True)
    world.deliver()
    assert len(world.server.mails) == 2
    world.later(timedelta(hours=3))
    world.deliver()
    assert len(world.server.mails) == 3


def test_a_run_for_all_takes_the_events_that_are_due(world: World) -> None:
    world.order(event="soon", holder="a", starts_in=timedelta(hours=1))
    world.order(event="later", holder="b", starts_in=timedelta(hours=5))
    ask(world, "all", None)
    world.deliver()
    assert world.server.addresses() == ["a@dicoevent.example"]
