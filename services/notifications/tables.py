"""The tables of notifications."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

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
    _time("ends_at"),
    # Lead times in minutes; NULL is the default, an empty array is no reminders.
    sa.Column("reminders", ARRAY(sa.Integer)),
    sa.Column("note", sa.Text, nullable=False, server_default=""),
    # Known from an order only, which need not tell everything.
    sa.Column("hearsay", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index("events_start", "starts_at"),
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
    _time("starts_at", nullable=False),
    _time("ends_at"),
    sa.Column("note", sa.Text, nullable=False, server_default=""),
    sa.Column("status", sa.Text, nullable=False, server_default="scheduled"),
    # By its publisher's clock; NULL when that cannot be known.
    _time("changed_at"),
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
    sa.Index("holders_address", sa.text("lower(email)")),
)
tickets = sa.Table(
    "tickets",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("holder_id", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    # Of its ticket type.
    sa.Column("name", sa.Text, nullable=False, server_default=""),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    # Which version of the event the order was made by, and when, by the publisher's clock.
    sa.Column("known_version", sa.BigInteger, nullable=False, server_default="0"),
    _time("ordered_at"),
    _time("gone_at"),
    # The trace of the message that made it known, when tracing is on: see traces.py.
    sa.Column("trace", sa.Text),
    _time("traced_at"),
    sa.Index("tickets_active", "event_id", "holder_id", postgresql_where=sa.text("active")),
    sa.Index("tickets_holder", "holder_id"),
)

# A row for each (event, lead time), each run by hand and each notice. A notice's edition is the version it
# tells of, `changed_at` when the first edit that it tells of was made.
# `cursor` is the last holder who has his delivery; expansion goes on after him.
schedules = sa.Table(
    "reminder_schedules",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("lead_minutes", sa.Integer, nullable=False),
    _time("starts_at", nullable=False),
    sa.Column("edition", sa.BigInteger, nullable=False, server_default="0"),
    _time("due_at", nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("cursor", sa.Text, nullable=False, server_default=""),
    _time("armed_at"),
    _time("changed_at"),
    sa.UniqueConstraint("event_id", "kind", "lead_minutes", "starts_at", "edition"),
    sa.Index("schedules_due", "due_at", postgresql_where=sa.text("state = 'pending'")),
    sa.Index("schedules_age", "starts_at", postgresql_where=sa.text("state <> 'pending'")),
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
    sa.Column("edition", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("holder_id", sa.Text, nullable=False),
    # The ticket of a confirmation; of a reminder that stands for a confirmation it is in `confirms`.
    sa.Column("subject_id", sa.Text, nullable=False, server_default=""),
    sa.Column("confirms", sa.Text),
    # The version of the event that the recipient of a notice was told last.
    sa.Column("known_version", sa.BigInteger),
    _time("useless_after", nullable=False),
    # Of the last attempt; earlier ones that came to nothing are in delivery_attempts.
    _time("claimed_at"),
    _time("sending_at"),
    sa.Column("worker", sa.Text),
    # When it should have been sent: for who orders late, or comes back late, that is then.
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
    # The person first: every change of state writes into this index, and he decides at the first comparison.
    sa.UniqueConstraint(
        "holder_id",
        "event_id",
        "kind",
        "lead_minutes",
        "starts_at",
        "edition",
        "subject_id",
        name="deliveries_once",
    ),
    sa.Index("deliveries_confirms", "confirms", postgresql_where=sa.text("confirms IS NOT NULL")),
    sa.Index("deliveries_subject", "subject_id", postgresql_where=sa.text("subject_id <> ''")),
    # While `frozen` a copy may be out there: address, name, codes and words (of `worded_at`) stay.
    sa.Column("frozen", sa.Boolean, nullable=False, server_default=sa.false()),
    _time("worded_at"),
    sa.Column("codes", sa.ARRAY(sa.Text)),
    sa.Index(
        "deliveries_claimable",
        "next_attempt_at",
        "id",
        postgresql_where=sa.text("state IN ('pending', 'retry')"),
    ),
    sa.Index("deliveries_leased", "lease_until", postgresql_where=sa.text("state IN ('claimed', 'sending')")),
    sa.Index("deliveries_event", "event_id", "starts_at"),
    sa.Index(
        "deliveries_expiring",
        "useless_after",
        postgresql_where=sa.text("state IN ('pending', 'retry') AND finished_at IS NULL"),
    ),
)

# Addresses that are written to no more; a deleted person's is kept as `sha256:` and its hash.
suppressions = sa.Table(
    "suppressions",
    metadata,
    sa.Column("address", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False, server_default=""),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
)

# Mails of one event and kind that rest because the server refused one by its policy.
campaign_pauses = sa.Table(
    "campaign_pauses",
    metadata,
    sa.Column("event_id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    _time("paused_at", nullable=False),
    _time("paused_until", nullable=False),
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
    sa.Index("runs_age", "started_at", postgresql_where=sa.text("started_at IS NOT NULL")),
)
run_schedules = sa.Table(
    "run_schedules",
    metadata,
    sa.Column("run_id", sa.Text, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("schedule_id", sa.BigInteger, sa.ForeignKey("reminder_schedules.id"), primary_key=True),
    sa.Index("run_schedules_schedule", "schedule_id"),
)

# What mail servers answered but for "taken", which a delivery's own row says.
attempts = sa.Table(
    "delivery_attempts",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column(
        "delivery_id", sa.BigInteger, sa.ForeignKey("deliveries.id", ondelete="CASCADE"), nullable=False
    ),
    _time("at", nullable=False),
    sa.Column("worker", sa.Text),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("code", sa.Integer, nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Index("attempts_delivery", "delivery_id"),
)

# People who want no reminders of an organizer; '' is of all.
unsubscribes = sa.Table(
    "unsubscribes",
    metadata,
    sa.Column("holder_id", sa.Text, primary_key=True),
    sa.Column("organizer_id", sa.Text, primary_key=True),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
)
