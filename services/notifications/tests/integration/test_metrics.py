"""The numbers of reminders say what is so."""

from datetime import timedelta

import sqlalchemy as sa
from prometheus_client import REGISTRY

from services.notifications.metrics import reminder_metrics
from services.notifications.tests.integration.conftest import World


def told(world: World) -> dict[str, float]:
    families = reminder_metrics(world.engine, world.settings.clock_offset)()
    return {" ".join((s.name, *s.labels.values())): s.value for family in families for s in family.samples}


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_nothing_waits_where_nothing_is_due(world: World) -> None:
    world.order(starts_in=timedelta(hours=5))
    assert set(told(world).values()) == {0.0}


def test_what_is_due_and_not_planned_is_seen(world: World) -> None:
    world.order(starts_in=timedelta(hours=3))
    world.later(timedelta(hours=1, minutes=5))
    assert 300 <= told(world)["dicoevent_oldest_due_age_seconds"] < 330


def test_what_is_planned_and_not_sent_is_seen(world: World) -> None:
    for n in range(3):
        world.order(holder=f"h{n}")
    world.plan()
    world.later(timedelta(minutes=2))
    now = told(world)
    assert now["dicoevent_deliveries_open pending"] == 3
    assert 120 <= now["dicoevent_oldest_due_age_seconds"] < 150
    world.deliver()
    assert set(told(world).values()) == {0.0}


def test_a_later_attempt_is_not_overdue(world: World) -> None:
    world.order()
    world.server.answers["h1@dicoevent.example"] = "451 4.7.1 greylisted"
    world.deliver()
    now = told(world)
    assert now["dicoevent_deliveries_open retry"] == 1
    assert now["dicoevent_oldest_due_age_seconds"] == 0


def test_a_lease_that_ran_out_is_overdue(world: World) -> None:
    world.order()
    world.plan()
    with world.engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE deliveries SET state = 'sending', lease_until = now() - interval '90 s'")
        )
    assert 90 <= told(world)["dicoevent_oldest_due_age_seconds"] < 120


def test_answers_results_and_lateness_are_counted_once_each(world: World) -> None:
    world.order(holder="good")
    world.order(holder="bad")
    world.server.answers["bad@dicoevent.example"] = "550 5.1.1 no such user"
    names = [
        ("dicoevent_smtp_answers_total", {"code_class": "2xx"}),
        ("dicoevent_smtp_answers_total", {"code_class": "5xx"}),
        ("dicoevent_delivery_results_total", {"state": "accepted"}),
        ("dicoevent_delivery_results_total", {"state": "failed"}),
        ("dicoevent_delivery_lateness_seconds_count", {}),
        ("dicoevent_delivery_lateness_seconds_bucket", {"le": "30.0"}),
    ]
    before = [count(name, **labels) for name, labels in names]
    world.deliver()
    after = [count(name, **labels) for name, labels in names]
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 1, 1, 1, 1, 1]
    assert count("dicoevent_mail_server_up") == 1
