"""Payments, holds and check-in; an event's lead times and note; indexes for cursors and for pruning."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Adds to what 0001 made; no row is rewritten."""
    op.add_column("events", sa.Column("reminders", JSONB))
    op.add_column("events", sa.Column("reminder_note", sa.Text, nullable=False, server_default=""))
    _extend_orders()
    _make_payments()
    op.drop_index("ticket_types_event", "ticket_types")
    op.create_index("ticket_types_event", "ticket_types", ["event_id", "id"])
    op.create_index("events_organizer", "events", ["organizer_id"])
    op.create_index("idempotency_keys_age", "idempotency_keys", ["created_at"])


def _extend_orders() -> None:
    for name in ("paid_at", "hold_until", "checked_in_at"):
        op.add_column("orders", sa.Column(name, sa.DateTime(timezone=True)))
    op.add_column("orders", sa.Column("checked_in_by", sa.Text))
    op.create_index(
        "orders_hold", "orders", ["hold_until"], postgresql_where=sa.text("hold_until IS NOT NULL")
    )
    for name, column in (("event", "event_id"), ("user", "user_id")):
        op.drop_index(f"orders_{name}", "orders")
        op.create_index(f"orders_{name}", "orders", [column, "id"])


def _make_payments() -> None:
    op.create_table(
        "payments",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("amount", sa.Numeric(12, 2), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.CheckConstraint("status IN ('pending', 'completed', 'failed', 'refunded')", name="payment_status"),
    )
    op.create_index("payments_order", "payments", ["order_id"])
    op.create_index("payments_event", "payments", ["event_id", "id"])
    op.create_index("payments_user", "payments", ["user_id", "id"])
