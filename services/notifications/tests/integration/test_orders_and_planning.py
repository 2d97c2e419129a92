"""Orders that come while a reminder becomes due: neither in its way, nor forgotten, nor doubled."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from services.notifications import planning, schedules, store
from services.notifications.handlers import MessageHandlers
from services.notifications.intake import Intake
from services.notifications.tests.integration.conftest import World
from shared.inbox import Receiver
from shared.messages import parse, read_envelope
from shared.testing import example, wait_until


def orders(world: World, event: str, *holders: str) -> list[dict]:
    """Orders for a known event, as messages."""
    with world.engine.connect() as connection:
        facts = connection.execute(sa.text("SELECT * FROM events WHERE id = :id"), {"id": event}).one()
    messages = []
    for holder in holders:
        message = example("ticket.ordered")
        data = message["data"]
        data["event"].update(id=event, version=1, starts_at=facts.starts_at.isoformat(), ends_at=None)
        data["holder"].update(id=holder, email=f"{holder}@dicoevent.example", locale="en")
        data["ticket"]["id"] = f"{event}-{holder}-{message['id']}"
        messages.append(message)
    return messages


def take(world: World, connection: sa.Connection, messages: list[dict]) -> None:
    """Applies messages in a transaction that the test ends."""
    envelopes = [read_envelope(message) for message in messages]
    Intake(MessageHandlers(world.settings)).take_all(connection, [(parse(e), e) for e in envelopes])


def reminded(world: World) -> list[str]:
    """Holders with a reminder that counts, one entry for each."""
    query = "SELECT holder_id FROM deliveries WHERE kind = 'reminder' AND state <> 'suppressed' ORDER BY 1"
    with world.engine.connect() as connection:
        return list(connection.execute(sa.text(query)).scalars())


@pytest.mark.parametrize("count", [1, 3])
def test_orders_under_way_do_not_put_off_a_reminder_that_is_due(world: World, count: int) -> None:
    world.order(starts_in=timedelta(hours=2, minutes=5))
    world.later(timedelta(minutes=6))
    late = [f"late{n}" for n in range(count)]
    with world.engine.begin() as connection:
        take(world, connection, orders(world, "e1", *late))
        world.plan()
        assert reminded(world) == ["h1"]
    world.plan()
    assert reminded(world) == ["h1", *late]


@pytest.mark.parametrize("count", [1, 3])
def test_an_order_that_is_not_there_yet_when_a_reminder_becomes_due_is_waited_for(
    world: World, count: int
) -> None:
    world.order(starts_in=timedelta(hours=2, minutes=5))
    early = [f"early{n}" for n in range(count)]
    with world.engine.begin() as connection:
        take(world, connection, orders(world, "e1", *early))
        world.later(timedelta(minutes=6))
        world.plan()
        assert reminded(world) == []
    world.plan()
    assert reminded(world) == [*early, "h1"]


def test_an_order_taken_while_its_holder_is_planned_gets_one_reminder_and_its_confirmation(
    world: World,
) -> None:
    world.order(starts_in=timedelta(hours=2, minutes=5))
    world.later(timedelta(minutes=6))
    world.settings = replace(world.settings, confirm_orders=True)
    second = orders(world, "e1", "h1")[0]
    handlers = MessageHandlers(world.settings)
    receiver = Receiver(world.engine, handlers.table(), take_all=Intake(handlers).take_all)
    thread = threading.Thread(target=receiver.receive, args=(second,))
    with world.engine.begin() as connection:
        now = store.database_now(connection, world.settings.clock_offset)
        schedule = schedules.claim_due(connection, now)
        assert schedule is not None
        assert planning.expand(connection, schedule, now, world.settings.clock_offset) == 1
        thread.start()
        wait_until(lambda: _somebody_waits(world), "the order waits for the planned row")
    thread.join(30)
    assert [(kind, state) for kind, _, state, _ in world.story()] == [
        ("reminder", "pending"),
        ("confirmation", "pending"),
    ]


def test_a_stream_of_orders_never_keeps_a_reminder_from_being_planned(world: World) -> None:
    world.order(starts_in=timedelta(hours=2, minutes=5))
    world.later(timedelta(minutes=6))
    first, second = world.engine.connect(), world.engine.connect()
    with first, second:  # one of the two consumers is always within a transaction
        open_one = first.begin()
        take(world, first, orders(world, "e1", "s0", "t0"))
        for n in range(1, 4):
            consumer = (first, second)[n % 2]
            other = consumer.begin()
            take(world, consumer, orders(world, "e1", f"s{n}", f"t{n}"))
            open_one.commit()
            open_one = other
            world.plan()
            assert "h1" in reminded(world)
        open_one.commit()
    assert reminded(world) == ["h1", *(f"{kind}{n}" for kind in "st" for n in range(4))]


def _somebody_waits(world: World) -> bool:
    query = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    with world.engine.connect() as connection:
        return bool(connection.scalar(sa.text(query)))
