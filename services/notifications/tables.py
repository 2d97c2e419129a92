"""The tables of notifications."""

import sqlalchemy as sa

metadata = sa.MetaData()


def _time(name: str, nullable: bool = True) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


# Projection of events. `sequence` is the version that was applied last.
events = sa.Table(
    "events",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("location", sa.Text, nullable=False),
    sa.Column("timezone", sa.Text, nullable=False),
    _time("starts_at", nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("organizer_id", sa.Text),
    sa.Column("deleted", sa.Boolean, nullable=False, server_default=sa.false()),
)

# What people were told of an event: a delivery's first claim fixes which version its mail is made of.
event_contents = sa.Table(
    "event_contents",
    metadata,
    sa.Column("event_id", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("location", sa.Text, nullable=False),
    sa.Column("timezone", sa.Text, nullable=False),
)

# The recipient projection: people, and who holds what.
holders = sa.Table(
    "holders",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("locale", sa.Text, nullable=False),
    sa.Column("deleted", sa.Boolean, nullable=False, server_default=sa.false()),
)
tickets = sa.Table(
    "tickets",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("holder_id", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    # The trace of the message that made it known, when tracing is on: see traces.py.
    sa.Column("trace", sa.Text),
    _time("traced_at"),
    sa.Index("tickets_active", "event_id", "holder_id", postgresql_where=sa.text("active")),
    sa.Index("tickets_holder", "holder_id"),
)

# `cursor` is the last holder who has his delivery; expansion goes on after him.
schedules = sa.Table(
    "reminder_schedules",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("lead_minutes", sa.Integer, nullable=False),
    _time("starts_at", nullable=False),
    sa.Column("edition", sa.Integer, nullable=False, server_default="0"),
    _time("due_at", nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("cursor", sa.Text, nullable=False, server_default=""),
    sa.UniqueConstraint("event_id", "kind", "lead_minutes", "starts_at", "edition"),
    sa.Index("schedules_due", "due_at", postgresql_where=sa.text("state = 'pending'")),
)

# One row for each mail that somebody should get; the unique key is why nobody gets it twice.
deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("lead_minutes", sa.Integer, nullable=False),
    _time("starts_at", nullable=False),
    sa.Column("edition", sa.Integer, nullable=False, server_default="0"),
    sa.Column("holder_id", sa.Text, nullable=False),
    _time("due_at", nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    _time("next_attempt_at", nullable=False),
    sa.Column("fence", sa.BigInteger, nullable=False, server_default="0"),
    _time("lease_until"),
    _time("composed_at"),
    sa.Column("content_version", sa.BigInteger),
    sa.Column("address", sa.Text),
    sa.Column("name", sa.Text),
    sa.Column("locale", sa.Text),
    sa.Column("answer_code", sa.Integer),
    sa.Column("answer_text", sa.Text),
    _time("finished_at"),
    sa.UniqueConstraint("event_id", "kind", "lead_minutes", "starts_at", "holder_id", "edition"),
    sa.Index(
        "deliveries_claimable",
        "next_attempt_at",
        "id",
        postgresql_where=sa.text("state IN ('pending', 'retry')"),
    ),
    sa.Index("deliveries_leased", "lease_until", postgresql_where=sa.text("state IN ('claimed', 'sending')")),
    sa.Index("deliveries_holder", "holder_id"),
)

# Work that was asked for; the task id that an admin gets is the id of a run.
runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("event_id", sa.Text),
    sa.Column("again", sa.Boolean, nullable=False, server_default=sa.false()),
    _time("asked_at", nullable=False),
    _time("started_at"),
    sa.Column("problem", sa.Text, nullable=False, server_default=""),
    sa.Index("runs_queued", "asked_at", postgresql_where=sa.text("started_at IS NULL")),
)
run_schedules = sa.Table(
    "run_schedules",
    metadata,
    sa.Column("run_id", sa.Text, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("schedule_id", sa.BigInteger, sa.ForeignKey("reminder_schedules.id"), primary_key=True),
)
