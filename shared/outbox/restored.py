"""What a publisher's database needs after it was restored from a backup, before its processes start."""

import sqlalchemy as sa

# More changes than anything had between a backup and its restore.
LEAP = 1_000_000


def after_restore(connection: sa.Connection, table: str) -> int:
    """Lifts every version in `table`, and lets the feed get a new epoch; returns how many rows that were.

    Others may know a later version of a thing than this database does by now, and take only what is newer:
    without the leap the next changes of that thing would be nothing new to them.
    """
    connection.execute(sa.text("UPDATE outbox_feed SET identity = ''"))
    lifted = sa.text(f'UPDATE "{table}" SET version = version + :leap')
    return connection.execute(lifted, {"leap": LEAP}).rowcount
