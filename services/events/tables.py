"""The tables of events."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

metadata = sa.MetaData()

events = sa.Table(
    "events",
    metadata,
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
    sa.Column("reminders", ARRAY(sa.Integer, as_tuple=True)),
    sa.Column("reminder_note", sa.Text, nullable=False, server_default=""),
    sa.Index("events_newest_start", "starts_at", "id"),
    sa.Index("events_organizer", "organizer_id"),
    sa.Index("events_category", sa.text("lower(category)"), "starts_at", "id"),
    sa.Index("events_status_start", "status", "starts_at", "id"),
)

# One row. Triggers on `events` write a new random value in the transaction of each change: what was read
# together with a value is what the database holds whenever it holds that value.
cache_generation = sa.Table(
    "cache_generation",
    metadata,
    sa.Column("only", sa.Boolean, primary_key=True, server_default=sa.true()),
    sa.Column("generation", sa.Uuid(as_uuid=False), nullable=False),
    sa.CheckConstraint('"only"'),
)

# A row is there before its file and stays until the file is gone: no crash leaves a file nobody knows of.
posters = sa.Table(
    "posters",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("content_type", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Index("posters_event", "event_id"),
    sa.Index("posters_unfinished", "changed_at", postgresql_where=sa.text("state <> 'ready'")),
)

# Copies of accounts' users, the possible organizers. Of a deleted one only the id stays.
users = sa.Table(
    "users",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("username", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("deleted", sa.Boolean, nullable=False),
)
