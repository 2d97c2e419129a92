"""Several lead times, notices, confirmations, suppression."""

from alembic import op

revision = "0003"
down_revision = "0002"

CHANGES = """
ALTER TABLE events
    ADD COLUMN ends_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN reminders INTEGER[],
    ADD COLUMN note TEXT DEFAULT '' NOT NULL,
    ADD COLUMN hearsay BOOLEAN DEFAULT false NOT NULL;

ALTER TABLE event_contents
    ADD COLUMN starts_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN ends_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN note TEXT DEFAULT '' NOT NULL,
    ADD COLUMN status TEXT DEFAULT 'scheduled' NOT NULL,
    ADD COLUMN changed_at TIMESTAMP WITH TIME ZONE;
UPDATE event_contents AS c SET starts_at = e.starts_at FROM events AS e WHERE e.id = c.event_id;
UPDATE event_contents SET starts_at = now() WHERE starts_at IS NULL;
ALTER TABLE event_contents ALTER COLUMN starts_at SET NOT NULL;

ALTER TABLE tickets
    ADD COLUMN known_version BIGINT DEFAULT 0 NOT NULL,
    ADD COLUMN ordered_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN gone_at TIMESTAMP WITH TIME ZONE;
UPDATE tickets AS t SET known_version = e.sequence FROM events AS e WHERE e.id = t.event_id;

ALTER TABLE reminder_schedules
    ALTER COLUMN edition TYPE BIGINT,
    ADD COLUMN armed_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN changed_at TIMESTAMP WITH TIME ZONE;

ALTER TABLE deliveries
    ALTER COLUMN edition TYPE BIGINT,
    ADD COLUMN subject_id TEXT DEFAULT '' NOT NULL,
    ADD COLUMN confirms TEXT,
    ADD COLUMN known_version BIGINT,
    ADD COLUMN useless_after TIMESTAMP WITH TIME ZONE;
UPDATE deliveries SET useless_after = starts_at;
ALTER TABLE deliveries
    ALTER COLUMN useless_after SET NOT NULL,
    DROP CONSTRAINT deliveries_event_id_kind_lead_minutes_starts_at_holder_id_e_key,
    ADD CONSTRAINT deliveries_once UNIQUE
        (event_id, kind, lead_minutes, starts_at, holder_id, edition, subject_id);

CREATE INDEX deliveries_confirms ON deliveries (confirms) WHERE confirms IS NOT NULL;
CREATE INDEX deliveries_subject ON deliveries (subject_id) WHERE subject_id <> '';

CREATE INDEX holders_address ON holders (lower(email));

DROP INDEX deliveries_expiring;
CREATE INDEX deliveries_expiring ON deliveries (useless_after) WHERE state IN ('pending', 'retry');

CREATE TABLE unsubscribes (
    holder_id TEXT NOT NULL,
    organizer_id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (holder_id, organizer_id)
);
"""


def upgrade() -> None:
    """Changes the tables; nobody has to be told anything because of it."""
    op.execute(CHANGES)
