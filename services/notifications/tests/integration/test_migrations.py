"""What an installation of the first release was about to do is done after its upgrade, once."""

from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from services.notifications.bootstrap import MIGRATIONS
from services.notifications.tests.integration.conftest import World
from shared.database import migrate
from shared.testing import at_first_revision

# Of each holder: what had become of his reminder when the first release was stopped.
STATES = {"had": "accepted", "was": "sending", "took": "claimed", "again": "retry", "waits": "pending"}


def test_reminders_of_the_first_release_go_out_after_the_upgrade_and_none_twice(
    world: World, tmp_path: Path
) -> None:
    url = at_first_revision(world.engine, MIGRATIONS, tmp_path)
    start, now = world.now() + timedelta(hours=2, seconds=-1), world.now()
    facts = {"start": start, "now": now, "old": now - timedelta(minutes=5)}
    with world.engine.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO events VALUES ('e1', 3, 'Jazz', 'Kota Tua', 'UTC', :start, 'scheduled')"),
            facts,
        )
        connection.execute(sa.text("INSERT INTO event_contents VALUES ('e1', 3, 'Jazz', 'Kota Tua', 'UTC')"))
        connection.execute(
            sa.text(
                "INSERT INTO reminder_schedules (event_id, kind, lead_minutes, starts_at, due_at, state)"
                " VALUES ('e1', 'reminder', 120, :start, :old, 'pending')"
            ),
            facts,
        )
        for holder in (*STATES, "new"):
            holding = {**facts, "holder": holder, "state": STATES.get(holder)}
            for statement in (
                "INSERT INTO holders VALUES (:holder, 1, :holder, :holder || '@dicoevent.example', 'en')",
                "INSERT INTO tickets VALUES (:holder, 'e1', :holder, 'AB12', true, 1)",
                "INSERT INTO deliveries (event_id, kind, lead_minutes, starts_at, holder_id, due_at, state,"
                " next_attempt_at, lease_until, composed_at, content_version, address, name, locale,"
                " attempts)"
                " SELECT 'e1', 'reminder', 120, :start, :holder, :old, :state, :old, :old, :old, 3,"
                " :holder || '@dicoevent.example', :holder, 'en', 1 WHERE :state <> ''",
            ):
                connection.execute(sa.text(statement), holding)
    migrate(url, MIGRATIONS, "notifications")
    for _ in range(2):
        world.deliver()
    assert sorted(world.server.addresses()) == sorted(
        f"{holder}@dicoevent.example" for holder in (*STATES, "new") if holder != "had"
    )
    # Of two a copy may be out there since then, with its words.
    assert sorted(world.subjects()) == [
        *["Reminder: Jazz starts in 2 hours 5 minutes"] * 2,
        *["Reminder: Jazz starts in two hours"] * 3,
    ]
    assert set(world.states().values()) == {"accepted"}
