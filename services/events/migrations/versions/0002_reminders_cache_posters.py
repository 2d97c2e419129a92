"""Lead times and note of an event, the generation that cached answers are keyed by, and posters."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("events", sa.Column("reminders", ARRAY(sa.Integer)))
    op.add_column("events", sa.Column("reminder_note", sa.Text, nullable=False, server_default=""))
    op.create_index("events_category", "events", [sa.text("lower(category)"), "starts_at", "id"])
    op.create_index("events_status_start", "events", ["status", "starts_at", "id"])
    _define_generation()
    _define_posters()


def _define_generation() -> None:
    op.execute(
        """
        CREATE TABLE cache_generation (
            "only" boolean PRIMARY KEY DEFAULT true CHECK ("only"),
            generation uuid NOT NULL
        );
        INSERT INTO cache_generation (generation) VALUES (gen_random_uuid());

        CREATE FUNCTION renew_cache_generation() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            UPDATE cache_generation SET generation = gen_random_uuid();
            RETURN NULL;
        END $$;

        CREATE TRIGGER events_renew_cache_generation
            AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON events
            FOR EACH STATEMENT EXECUTE FUNCTION renew_cache_generation();
        """
    )


def _define_posters() -> None:
    op.create_table(
        "posters",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("content_type", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.CheckConstraint("state IN ('uploading', 'ready', 'gone')", name="posters_state"),
    )
    op.create_index("posters_event", "posters", ["event_id"])
    op.create_index(
        "posters_unfinished", "posters", ["changed_at"], postgresql_where=sa.text("state <> 'ready'")
    )
