"""The first tables: events, users, outbox, inbox."""

import sqlalchemy as sa
from alembic import op

from shared.inbox.tables import define_inbox
from shared.outbox.tables import define_outbox

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("location", sa.Text, nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True)),
        sa.Column("timezone", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("quota", sa.Integer, nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("organizer_id", sa.Text, nullable=False),
        sa.Column("published", sa.Boolean, nullable=False),
        sa.CheckConstraint("quota >= 0", name="events_quota"),
        sa.CheckConstraint(
            "status IN ('draft', 'scheduled', 'ongoing', 'completed', 'cancelled')", name="events_status"
        ),
    )
    op.create_index("events_newest_start", "events", ["starts_at", "id"])
    op.create_index("events_organizer", "events", ["organizer_id"])
    op.create_table(
        "users",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("username", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
    )
    define_outbox(op.get_bind())
    define_inbox(op.get_bind())
