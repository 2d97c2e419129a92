"""The clocks change between the order and the event: due time and text are right."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from services.notifications.tests.integration.conftest import World

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def next_change(zone: ZoneInfo, after: datetime, forward: bool) -> datetime:
    """The next hour at which the clocks of a zone are put forward, or back."""
    hour = after.replace(minute=0, second=0, microsecond=0)
    while True:
        before, then = (moment.astimezone(zone).utcoffset() for moment in (hour, hour + HOUR))
        assert before is not None
        assert then is not None
        if (then > before) if forward else (then < before):
            return hour + HOUR
        hour += HOUR


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("forward", [True, False], ids=["forward", "back"])
def test_an_event_after_the_change_is_reminded_of_real_time_before_it(
    world: World, zone: str, forward: bool
) -> None:
    change = next_change(ZoneInfo(zone), datetime.now(UTC) + 3 * DAY, forward)
    start = change + HOUR
    wall = start.astimezone(ZoneInfo(zone))
    world.order(name="Jazz", timezone=zone, reminders=[1440, 120], starts_in=start - world.now())
    with world.engine.connect() as connection:
        due = connection.execute(sa.text("SELECT due_at FROM reminder_schedules ORDER BY due_at")).scalars()
        ordered = [moment - wall.astimezone(UTC) for moment in due]
    assert [round(before / HOUR, 3) for before in ordered] == [-24, -2]
    for before, said in ((DAY, "1 day"), (2 * HOUR, "two hours")):
        sent = len(world.server.mails)
        world.later(start - before - timedelta(minutes=1) - world.now())
        world.deliver()
        assert len(world.server.mails) == sent
        world.later(timedelta(minutes=1, seconds=2))
        world.deliver()
        mail = world.server.mails[-1]
        text = mail.get_body(("plain",)).get_content()
        assert mail["Subject"] == f"Reminder: Jazz starts in {said}"
        assert f"{wall:%A}, {wall.day} {wall:%B %Y}, {wall:%H:%M} ({zone}, " in text
