"""Many messages at once have the effect that they have one by one."""

import random
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from services.notifications.handlers import MessageHandlers
from services.notifications.intake import Intake
from services.notifications.settings import ReminderSettings
from services.notifications.tests.integration.conftest import REMINDERS
from shared.inbox import Receiver
from shared.testing import example

Make = Callable[[str], sa.Engine]
NOW = datetime.now(UTC)
# Before a lead time of two hours, inside it, and over.
STARTS = [NOW + timedelta(hours=hours) for hours in (30, 5, 1, -1)]
RULES = ReminderSettings(
    lead=timedelta(hours=2),
    tick=REMINDERS.tick,
    lease=REMINDERS.lease,
    sweep=REMINDERS.sweep,
    max_attempts=5,
    resend_unknown=True,
    clock_offset=timedelta(0),
    confirm_orders=True,
)
FACTS = {
    "events": "id, sequence, name, location, starts_at, status, organizer_id, deleted, reminders, note,"
    " hearsay",
    "event_contents": "event_id, version, name, location, starts_at, note, status",
    "holders": "id, sequence, name, email, locale, deleted",
    "tickets": "id, event_id, holder_id, code, name, active, sequence, known_version",
    "reminder_schedules": "event_id, kind, lead_minutes, starts_at, edition, state",
    "deliveries": "event_id, kind, lead_minutes, starts_at, edition, holder_id, subject_id, confirms, state,"
    " reason, useless_after",
    "inbox": "source, id",
    "dead_letters": "body, reason",
}


def receiver(engine: sa.Engine) -> Receiver:
    handlers = MessageHandlers(RULES)
    return Receiver(engine, handlers.table(), take_all=Intake(handlers).take_all)


def facts(engine: sa.Engine) -> dict[str, list[Any]]:
    """Everything but ids and moments."""
    with engine.connect() as connection:
        return {
            table: sorted(map(tuple, connection.execute(sa.text(f"SELECT {what} FROM {table}"))), key=repr)
            for table, what in FACTS.items()
        }


def some_message(dice: random.Random, n: int) -> dict[str, Any]:
    """Of few events, people and tickets, so that they meet; some say old things, some new."""
    kind = dice.choices(
        ["ticket.ordered", "ticket.updated", "ticket.paid", "ticket.cancelled", "event.updated",
         "event.cancelled", "user.updated", "user.deleted", "bad"],
        [60, 10, 10, 6, 4, 2, 5, 1, 2],
    )[0]  # fmt: skip
    body = example("ticket.ordered" if kind == "bad" else kind, sequence=dice.randrange(4))
    body.update(id=f"m{n}", time=NOW.isoformat())
    event, holder, ticket = f"e{dice.randrange(5)}", f"h{dice.randrange(6)}", f"t{dice.randrange(40)}"
    data = body["data"]
    if kind in ("ticket.ordered", "ticket.updated", "bad"):
        _event(dice, data["event"], event)
        data["holder"].update(
            id=holder, version=dice.choice((1, 1, 1, 2)), email=f"{holder}-{dice.randrange(2)}@d.example"
        )
        data["ticket"].update(id=ticket, code=f"c{n}")
    elif kind.startswith("ticket."):
        data.update(ticket_id=ticket, event_id=event, holder_id=holder)
    elif kind.startswith("event."):
        _event(dice, data, event)
    else:
        data["id"] = holder
        if kind == "user.updated":
            data.update(version=body["sequence"], email=f"{holder}-{dice.randrange(2)}@d.example")
    if kind == "bad":
        data["holder"]["email"] = "nobody"
    return body


def _event(dice: random.Random, data: dict[str, Any], id_: str) -> None:
    version = dice.choices((1, 2, 3), (40, 4, 1))[0]
    starts_at = STARTS[(int(id_[1:]) + version - 1) % len(STARTS)]
    data.update(id=id_, version=version, name=f"{id_} v{version}", starts_at=starts_at.isoformat())
    data.pop("ends_at", None)


def in_stretches(dice: random.Random, bodies: Sequence[dict], take: Callable[[list[dict]], None]) -> None:
    rest = list(bodies)
    while rest:
        length = dice.randint(1, 60)
        take(rest[:length])
        rest = rest[length:]


@pytest.mark.parametrize("seed", range(4))
def test_in_batches_messages_leave_what_they_leave_one_by_one(make_service_engine: Make, seed: int) -> None:
    print(f"seed {seed}")  # noqa: T201 - a random test says its seed
    dice = random.Random(seed)
    bodies = [some_message(dice, n) for n in range(150)]
    bodies += dice.sample(bodies, 10)
    alone, together, fed = (make_service_engine("notifications") for _ in range(3))
    for engine in (alone, together, fed):
        with engine.begin() as connection:
            connection.execute(
                sa.text("INSERT INTO suppressions (address, reason) VALUES ('h1-0@d.example', 'x')")
            )
            connection.execute(
                sa.text("INSERT INTO unsubscribes (holder_id, organizer_id) VALUES ('h2', '')")
            )
    one = receiver(alone)
    for body in bodies:
        one.receive(body)
    in_stretches(dice, bodies, receiver(together).receive_many)
    feed = receiver(fed)
    in_stretches(dice, bodies, lambda some: feed.receive_batch("/tickets", "x", some, 1))
    expected = facts(alone)
    assert expected["deliveries"]
    assert expected["dead_letters"]
    assert facts(together) == expected
    assert facts(fed) == expected


def test_a_message_that_the_database_refuses_takes_no_neighbour_with_it(make_service_engine: Make) -> None:
    engine = make_service_engine("notifications")
    dice = random.Random(1)
    bodies = [some_message(dice, n) for n in range(60)]
    orders = [body for body in bodies if body["type"] == "ticket.ordered"][:20]
    orders[7]["data"]["event"]["name"] = "lone \ud800 surrogate"
    receiver(engine).receive_many(orders)
    kept = facts(engine)
    assert (
        len(kept["dead_letters"]) == len([o for o in orders if o["data"]["holder"]["email"] == "nobody"]) + 1
    )
    assert len(kept["inbox"]) == len(orders) - len(kept["dead_letters"])


def test_two_consumers_with_the_same_events_in_opposite_order_both_come_through(
    make_service_engine: Make,
) -> None:
    engine = make_service_engine("notifications")
    dice = random.Random(2)
    bodies = [some_message(dice, n) for n in range(300)]
    ours, theirs = bodies, list(reversed(bodies))
    failed: list[BaseException] = []

    def take(mine: list[dict]) -> None:
        try:
            in_stretches(random.Random(3), mine, receiver(engine).receive_many)
        except sa.exc.SQLAlchemyError as error:
            failed.append(error)

    threads = [threading.Thread(target=take, args=(mine,)) for mine in (ours, theirs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed
    kept = facts(engine)
    bad = {str(body) for body in bodies if "'nobody'" in str(body)}
    assert len(kept["inbox"]) == len(bodies) - len(bad)
