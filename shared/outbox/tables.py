"""The outbox's tables, the same in every publishing service."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

metadata = sa.MetaData()

# `position` is given by the relay after the transaction committed: no reader's cursor passes a late commit.
outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("seq", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("envelope", JSONB, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("position", sa.BigInteger, unique=True),
    sa.Column("sent_at", sa.DateTime(timezone=True)),
    sa.Index("outbox_unpositioned", "seq", postgresql_where=sa.text("position IS NULL")),
    sa.Index("outbox_unsent", "position", postgresql_where=sa.text("sent_at IS NULL")),
    sa.Index("outbox_subject", "subject"),
)

# One row. `identity` is the database the epoch was made in: see store.renew_epoch.
feed = sa.Table(
    "outbox_feed",
    metadata,
    sa.Column("only", sa.Boolean, primary_key=True, server_default=sa.true()),
    sa.Column("epoch", sa.Text, nullable=False),
    sa.Column("identity", sa.Text, nullable=False),
    sa.Column("head", sa.BigInteger, nullable=False, server_default="0"),
    sa.CheckConstraint('"only"'),
)


def define_outbox(connection: sa.Connection) -> None:
    """Makes the tables; called by a service's first migration."""
    metadata.create_all(connection, checkfirst=False)
    connection.execute(sa.insert(feed).values(epoch="", identity="", head=0))
