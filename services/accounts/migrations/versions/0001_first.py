"""The first tables: users, groups, refresh families, outbox."""

import sqlalchemy as sa
from alembic import op

from shared.outbox.tables import define_outbox

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes every table of this service."""
    op.create_table(
        "users",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("username", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("first_name", sa.Text, nullable=False),
        sa.Column("last_name", sa.Text, nullable=False),
        sa.Column("locale", sa.Text, nullable=False),
        sa.Column("is_superuser", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    )
    op.execute("CREATE UNIQUE INDEX users_username ON users (lower(username))")
    op.execute("CREATE UNIQUE INDEX users_email ON users (lower(email))")
    op.create_table(
        "groups",
        sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
    )
    op.execute("CREATE UNIQUE INDEX groups_name ON groups (lower(name))")
    user = sa.ForeignKey("users.id", ondelete="CASCADE")
    op.create_table(
        "memberships",
        sa.Column("user_id", sa.Text, user, primary_key=True),
        sa.Column("group_id", sa.Integer, sa.ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True),
    )
    op.create_index("memberships_group", "memberships", ["group_id"])
    op.create_table(
        "refresh_families",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("current", sa.Text, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("refresh_families_user", "refresh_families", ["user_id"])
    define_outbox(op.get_bind())
