"""The first tables of tickets."""

from alembic import op

from shared.inbox import define_inbox
from shared.outbox import define_outbox

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE events (
    id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    name TEXT NOT NULL,
    location TEXT NOT NULL,
    timezone TEXT NOT NULL,
    starts_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ends_at TIMESTAMP WITH TIME ZONE,
    status TEXT NOT NULL,
    quota INTEGER,
    organizer_id TEXT,
    deleted BOOLEAN NOT NULL,
    sold INTEGER DEFAULT '0' NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE idempotency_keys (
    caller TEXT NOT NULL,
    path TEXT NOT NULL,
    key TEXT NOT NULL,
    request TEXT NOT NULL,
    answer JSONB,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (caller, path, key)
);

CREATE TABLE ticket_types (
    id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    name TEXT NOT NULL,
    price NUMERIC(12, 2) NOT NULL,
    sales_start TIMESTAMP WITH TIME ZONE,
    sales_end TIMESTAMP WITH TIME ZONE,
    quota INTEGER NOT NULL,
    sold INTEGER DEFAULT '0' NOT NULL,
    archived BOOLEAN DEFAULT false NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX ticket_types_event ON ticket_types (event_id);

CREATE TABLE users (
    id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    username TEXT NOT NULL,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    locale TEXT NOT NULL,
    deleted BOOLEAN NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE orders (
    id TEXT NOT NULL,
    version BIGINT NOT NULL,
    ticket_type_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    status TEXT NOT NULL,
    code TEXT NOT NULL,
    ordered_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(ticket_type_id) REFERENCES ticket_types (id),
    UNIQUE (code)
);

CREATE INDEX orders_event ON orders (event_id);

CREATE INDEX orders_type ON orders (ticket_type_id);

CREATE INDEX orders_user ON orders (user_id);

"""


def upgrade() -> None:
    """Makes every table of this service, its outbox and its inbox."""
    op.execute(TABLES)
    define_outbox(op.get_bind())
    define_inbox(op.get_bind())
