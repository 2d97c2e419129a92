"""A mail says of each ticket what kind it is."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Tickets of before have no name until they are told of again: `scripts/rebuild notifications` asks."""
    op.execute("ALTER TABLE tickets ADD COLUMN name TEXT NOT NULL DEFAULT ''")
