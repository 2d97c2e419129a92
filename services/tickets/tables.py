"""The tables of tickets."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

metadata = sa.MetaData()


def _time(name: str, nullable: bool = True) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


# Projection of events. `sold` is ours: how many seats of the event are taken, over all its ticket types.
events = sa.Table(
    "events",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("location", sa.Text, nullable=False),
    sa.Column("timezone", sa.Text, nullable=False),
    _time("starts_at", nullable=False),
    _time("ends_at"),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("quota", sa.Integer),
    sa.Column("organizer_id", sa.Text),
    sa.Column("reminders", JSONB(none_as_null=True)),
    sa.Column("reminder_note", sa.Text, nullable=False, server_default=""),
    sa.Column("deleted", sa.Boolean, nullable=False),
    sa.Column("sold", sa.Integer, nullable=False, server_default="0"),
    sa.Index("events_organizer", "organizer_id"),
)

# Projection of users.
users = sa.Table(
    "users",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("username", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("locale", sa.Text, nullable=False),
    sa.Column("deleted", sa.Boolean, nullable=False),
)

ticket_types = sa.Table(
    "ticket_types",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("price", sa.Numeric(12, 2), nullable=False),
    _time("sales_start"),
    _time("sales_end"),
    sa.Column("quota", sa.Integer, nullable=False),
    sa.Column("sold", sa.Integer, nullable=False, server_default="0"),
    sa.Column("archived", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index("ticket_types_event", "event_id", "id"),
)

# `hold_until` is set while a seat is held for somebody who has not paid and must; the sweep looks there.
orders = sa.Table(
    "orders",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("ticket_type_id", sa.Text, sa.ForeignKey("ticket_types.id"), nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=False, unique=True),
    sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    _time("paid_at"),
    _time("hold_until"),
    _time("checked_in_at"),
    sa.Column("checked_in_by", sa.Text),
    sa.Index("orders_user", "user_id", "id"),
    sa.Index("orders_event", "event_id", "id"),
    sa.Index("orders_type", "ticket_type_id"),
    sa.Index("orders_hold", "hold_until", postgresql_where=sa.text("hold_until IS NOT NULL")),
)

# A payment outlives its order, as money does: who paid and for which event is noted here too.
payments = sa.Table(
    "payments",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("order_id", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("amount", sa.Numeric(12, 2), nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.CheckConstraint("status IN ('pending', 'completed', 'failed', 'refunded')", name="payment_status"),
    sa.Index("payments_order", "order_id"),
    sa.Index("payments_event", "event_id", "id"),
    sa.Index("payments_user", "user_id", "id"),
)

# The answer that was given to a key, in the transaction of its effect.
idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    sa.Column("caller", sa.Text, primary_key=True),
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("answer", JSONB),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Index("idempotency_keys_age", "created_at"),
)
