"""What goes with a person who was deleted: his name and address, wherever they were noted."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

# In the place of what outbox rows said of him. An address under `.invalid` itself would be refused by the
# shape of the message, and make a dead letter of every reader's copy.
_GONE = {"name": "", "email": "deleted@invalid.example"}


def clean_outbox(connection: sa.Connection, user_id: str) -> None:
    """Takes a person's name and address out of the messages that told of him."""
    statement = sa.text(
        "UPDATE outbox SET envelope = jsonb_set(envelope, '{data,holder}',"
        " (envelope #> '{data,holder}') || :gone) WHERE type IN ('ticket.ordered', 'ticket.updated')"
        " AND envelope #>> '{data,holder,id}' = :id"
    )
    connection.execute(
        statement.bindparams(sa.bindparam("gone", type_=JSONB)), {"gone": _GONE, "id": user_id}
    )


def drop_dead_letters(connection: sa.Connection, user_id: str, address: str) -> None:
    """Deletes the bad messages that tell of a person: replayed, they could change nothing any more."""
    connection.execute(
        sa.text(
            "DELETE FROM dead_letters WHERE strpos(body, :id) > 0"
            " OR (:address <> '' AND strpos(lower(body), lower(:address)) > 0)"
        ),
        {"id": user_id, "address": address},
    )
