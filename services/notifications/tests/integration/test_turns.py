"""A smooth turn: once for each mail, whatever becomes of its commit."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from services.notifications.model import Answer
from services.notifications.tests.integration.conftest import World
from services.notifications.turns import Turns

TAKEN = Answer(250, "2.0.0 taken")


@pytest.fixture
def turns(world: World) -> Iterator[Turns]:
    made = Turns(world.engine, world.settings)
    yield made
    made.close()


def make_due(world: World, holders: int) -> None:
    for n in range(holders):
        world.order(holder=f"h{n}")
    world.plan()


def states(world: World) -> dict[str, int]:
    with world.engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT state, count(*) FROM deliveries GROUP BY state"))
        return {row[0]: row[1] for row in rows}


def lose_an_answer(world: World, when: str) -> None:
    """The connection breaks once at COMMIT, `before_cursor_execute` or `after_cursor_execute`."""
    broken: list[bool] = []

    def check(*arguments: object) -> None:
        if arguments[2] == "COMMIT" and not broken:
            broken.append(True)
            raise OperationalError("COMMIT", None, OSError("the connection was lost"))

    sa.event.listen(world.engine, when, check)


def test_what_is_due_is_sending_at_once_and_recorded_in_the_next_turn(world: World, turns: Turns) -> None:
    make_due(world, 5)
    first = turns.take([], 3, None).taken
    assert [claim.attempts for claim in first.claims] == [0, 0, 0]
    assert first.seen == 3
    assert states(world) == {"pending": 2, "sending": 3}
    kept, second = turns.take([(claim, TAKEN) for claim in first.claims], 3, first.last)
    assert set(kept) == {claim.id for claim in first.claims}
    assert second.seen == 2
    assert states(world) == {"accepted": 3, "sending": 2}


@pytest.mark.parametrize("when", ["before_cursor_execute", "after_cursor_execute"])
def test_a_commit_of_which_nobody_knows_takes_nothing_twice(world: World, turns: Turns, when: str) -> None:
    make_due(world, 4)
    lose_an_answer(world, when)
    with pytest.raises(OperationalError):
        turns.take([], 2, None)
    again = turns.take([], 2, None).taken
    assert len(again.claims) == 2
    assert states(world) == {"pending": 2, "sending": 2}
    kept, _ = turns.take([(claim, TAKEN) for claim in again.claims], 0, None)
    assert len(kept) == 2


def test_a_campaign_that_rests_is_put_off(world: World, turns: Turns) -> None:
    make_due(world, 2)
    with world.engine.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO campaign_pauses SELECT event_id, kind, '', now(), now() + interval '1 hour'"
                " FROM deliveries LIMIT 1"
            )
        )
    taken = turns.take([], 5, None).taken
    assert (taken.claims, taken.seen) == ([], 2)
    assert turns.take([], 5, None).taken.seen == 0
    assert states(world) == {"pending": 2}


def test_of_whom_nothing_is_known_his_mail_fails(world: World, turns: Turns) -> None:
    make_due(world, 2)
    with world.engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM holders WHERE id = 'h0'"))
    assert [claim.holder_id for claim in turns.take([], 5, None).taken.claims] == ["h1"]
    assert states(world) == {"failed": 1, "sending": 1}


def test_the_plan_of_a_turn_is_one_for_a_large_table_from_the_start(world: World, turns: Turns) -> None:
    turns.take([], 1, None)
    held = turns._connection
    assert held is not None
    plan = held.exec_driver_sql("EXPLAIN EXECUTE turn('{}', '{}', '{}', '{}', '0', '1', 'epoch', 0, 9)")
    text = "\n".join(plan.scalars())
    assert "deliveries_claimable" in text
    assert "Seq Scan" not in text
