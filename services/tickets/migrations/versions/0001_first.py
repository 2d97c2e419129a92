"""The first tables: copies of events and users, ticket types, orders, idempotency keys, outbox, inbox."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from shared.inbox import define_inbox
from shared.outbox import define_outbox

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes every table of this service."""
    _make_projections()
    _make_sales()
    define_outbox(op.get_bind())
    define_inbox(op.get_bind())


def _make_projections() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("location", sa.Text, nullable=False),
        sa.Column("timezone", sa.Text, nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True)),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("quota", sa.Integer),
        sa.Column("organizer_id", sa.Text),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("sold", sa.Integer, nullable=False, server_default="0"),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("username", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("locale", sa.Text, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
    )


def _make_sales() -> None:
    op.create_table(
        "ticket_types",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("price", sa.Numeric(12, 2), nullable=False),
        sa.Column("sales_start", sa.DateTime(timezone=True)),
        sa.Column("sales_end", sa.DateTime(timezone=True)),
        sa.Column("quota", sa.Integer, nullable=False),
        sa.Column("sold", sa.Integer, nullable=False, server_default="0"),
        sa.Column("archived", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    op.create_index("ticket_types_event", "ticket_types", ["event_id"])
    op.create_table(
        "orders",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("ticket_type_id", sa.Text, sa.ForeignKey("ticket_types.id"), nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False, unique=True),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    )
    for name, column in (("event", "event_id"), ("type", "ticket_type_id"), ("user", "user_id")):
        op.create_index(f"orders_{name}", "orders", [column])
    op.create_table(
        "idempotency_keys",
        sa.Column("caller", sa.Text, primary_key=True),
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("answer", JSONB),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    )
