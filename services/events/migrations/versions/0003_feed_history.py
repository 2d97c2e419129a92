"""A feed's cursor remembers the message it stands at, so that a publisher's restore is seen."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """The first migration makes the inbox's tables as they are today: there the column exists."""
    op.execute("ALTER TABLE feed_cursors ADD COLUMN IF NOT EXISTS last_id TEXT NOT NULL DEFAULT ''")
