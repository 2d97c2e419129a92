"""The inbox's tables, the same in every consuming service."""

import sqlalchemy as sa

metadata = sa.MetaData()

inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("received_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Index("inbox_age", "received_at"),
)

# Up to which position the feed of a publisher has been taken in, without a hole. `last_id` is the message at
# that position: a publisher that has another one there went back in time (a restore), and is read anew.
cursors = sa.Table(
    "feed_cursors",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("epoch", sa.Text, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("last_id", sa.Text, nullable=False, server_default=""),
)

# `body` is what came, as text; `digest` (SHA-256 of it) makes a redelivery a count and not a second row.
dead_letters = sa.Table(
    "dead_letters",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False, unique=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("seen", sa.Integer, nullable=False, server_default="1"),
    sa.Column("received_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("replayed_at", sa.DateTime(timezone=True)),
    sa.Index("dead_letters_age", "received_at"),
)


def define_inbox(connection: sa.Connection) -> None:
    """Makes the tables; called by a service's first migration."""
    metadata.create_all(connection, checkfirst=False)
