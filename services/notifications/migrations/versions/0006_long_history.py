"""Retention finds what is over without reading what is not."""

from alembic import op

revision = "0006"
down_revision = "0005"

CHANGES = """
CREATE INDEX events_start ON events (starts_at);
DROP INDEX events_starting;
CREATE INDEX schedules_age ON reminder_schedules (starts_at) WHERE state <> 'pending';
CREATE INDEX runs_age ON runs (started_at) WHERE started_at IS NOT NULL;
CREATE INDEX run_schedules_schedule ON run_schedules (schedule_id);
"""


def upgrade() -> None:
    """The foreign key looks a deleted schedule up in run_schedules: without an index, in all of it."""
    op.execute(CHANGES)
