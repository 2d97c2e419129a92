"""Each change of a delivery's state writes into every index of the ledger: two of them become lighter."""

from alembic import op

revision = "0005"
down_revision = "0004"

CHANGES = """
-- The person first: he decides at the first comparison, and his index is this one.
ALTER TABLE deliveries
    DROP CONSTRAINT deliveries_once,
    ADD CONSTRAINT deliveries_once UNIQUE
        (holder_id, event_id, kind, lead_minutes, starts_at, edition, subject_id);
DROP INDEX deliveries_holder;
CREATE INDEX deliveries_event ON deliveries (event_id, starts_at);
"""


def upgrade() -> None:
    """Builds two indexes anew; the table is locked for writing meanwhile."""
    op.execute(CHANGES)
