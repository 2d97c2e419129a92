"""Nothing in the engine costs more because of what is over: its statements go by indexes."""

import re

import sqlalchemy as sa

from services.notifications import handlers, ledger, metrics, retention
from services.notifications.api.health import campaigns_check
from services.notifications.model import Answer
from services.notifications.rounds import Rounds
from services.notifications.tests.integration.conftest import World
from shared.retention import Pruner, Retention
from shared.testing.plans import recorded

# Small enough for a second, large enough that the planner would rather not read all of it.
HISTORY = (
    "INSERT INTO events (id, sequence, name, location, timezone, starts_at, status)"
    " SELECT 'old' || n, 1, 'Old', '', 'UTC', now() - interval '1 day' - n * interval '1 minute', 'completed'"
    " FROM generate_series(1, 3000) AS n",
    "INSERT INTO reminder_schedules (event_id, kind, lead_minutes, starts_at, due_at, state)"
    " SELECT id, 'reminder', 120, starts_at, starts_at - interval '2 hours', 'done' FROM events"
    " WHERE name = 'Old'",
    "INSERT INTO runs (id, asked_at, started_at) SELECT 'r' || id, due_at, due_at FROM reminder_schedules"
    " WHERE state = 'done'",
    "INSERT INTO run_schedules SELECT 'r' || id, id FROM reminder_schedules WHERE state = 'done'",
    "INSERT INTO deliveries (event_id, kind, lead_minutes, starts_at, holder_id, due_at, state,"
    " next_attempt_at, finished_at, useless_after) SELECT event_id, kind, lead_minutes, starts_at, 'x' || n,"
    "  due_at, (ARRAY['accepted', 'failed', 'suppressed', 'expired', 'unknown'])[n], due_at, due_at,"
    "  starts_at FROM reminder_schedules, generate_series(1, 5) AS n WHERE state = 'done'",
)
LARGE = {"deliveries", "reminder_schedules", "runs", "run_schedules", "events"}


def test_no_step_of_the_engine_reads_what_is_over(world: World) -> None:
    world.order()
    with world.engine.begin() as connection:
        for statement in HISTORY:
            connection.execute(sa.text(statement))
        connection.execute(sa.text("ANALYZE"))
    with recorded(world.engine) as statements:
        every_step(world)
    plans = statements.plans(world.engine)
    assert len(plans) > 40
    for statement, plan in plans:
        read = set(re.findall(r"Seq Scan on (\w+)", plan)) & LARGE
        assert not read, f"{read} are read from end to end by {statement}:\n{plan}"


def every_step(world: World) -> None:
    """What beat, delivery, the API and the pruner do, with a reminder that is due."""
    rounds = Rounds(world.engine, world.settings)
    with world.engine.begin() as connection:
        handlers.request_run(connection, "run", None, False, world.settings)
    rounds.arm()
    rounds.plan(lambda: None)
    claims = rounds.claim(10, None).claims
    assert len(claims) == 1
    rounds.renew(claims)
    rounds.turn([], claims)
    rounds.turn([(claims[0], Answer(250, "2.0.0 Ok"))], [])
    rounds.release(claims)
    list(metrics.reminder_metrics(world.engine, world.settings.clock_offset)())
    campaigns_check(world.engine, world.settings.clock_offset)()
    with world.engine.connect() as connection:
        assert ledger.get_run(connection, "run")["accepted"] == 1
        ledger.event_summary(connection, "e1")
        ledger.deliveries_of(connection, "e1", 10)
    assert Pruner(world.engine, retention.rules(Retention())).prune()["ledger"] == 0
