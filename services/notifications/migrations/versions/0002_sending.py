"""For the sending loop: frozen words, suppressed addresses, paused campaigns, indexes for what is due."""

from alembic import op

revision = "0002"
down_revision = "0001"

CHANGES = """
ALTER TABLE deliveries
    ADD COLUMN frozen BOOLEAN DEFAULT false NOT NULL,
    ADD COLUMN worded_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN codes TEXT[];

-- What a released version was sending may be out there with its words.
UPDATE deliveries SET frozen = true, worded_at = composed_at
    WHERE composed_at IS NOT NULL AND state IN ('sending', 'retry', 'unknown');

-- Millions of rows become dead in a burst: a fifth of a large table is too late.
ALTER TABLE deliveries SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);

-- With a condition of its own: a planner with old statistics must not take it for the index of what is due.
CREATE INDEX deliveries_expiring ON deliveries (starts_at)
    WHERE state IN ('pending', 'retry') AND finished_at IS NULL;

CREATE INDEX events_starting ON events (starts_at) WHERE NOT deleted;

CREATE TABLE suppressions (
    address TEXT PRIMARY KEY,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT '',
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now()
);

CREATE TABLE campaign_pauses (
    event_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    paused_at TIMESTAMP WITH TIME ZONE NOT NULL,
    paused_until TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (event_id, kind)
);
"""


def upgrade() -> None:
    """Adds to what is there."""
    op.execute(CHANGES)
