"""A feed's cursor remembers its message, so that a restore is seen; a ticket remembers its trace."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """The first migration makes the inbox's tables as they are today: there the column exists."""
    op.execute("ALTER TABLE feed_cursors ADD COLUMN IF NOT EXISTS last_id TEXT NOT NULL DEFAULT ''")
    op.execute("ALTER TABLE tickets ADD COLUMN trace TEXT, ADD COLUMN traced_at TIMESTAMP WITH TIME ZONE")
