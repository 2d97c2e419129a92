"""A publisher's outbox as numbers."""

from collections.abc import Iterable

import sqlalchemy as sa
from prometheus_client.core import Metric

from shared.metrics.scrape import Read, gauge
from shared.outbox import store
from shared.outbox.tables import feed


def outbox_metrics(engine: sa.Engine) -> Read:
    """Rows the queues do not have yet, how long the oldest waits, and the head of the feed."""

    def read() -> Iterable[Metric]:
        with engine.connect() as connection:
            connection.execute(sa.text("SET LOCAL statement_timeout = 2000"))
            unsent, age = store.backlog(connection), store.oldest_unsent_seconds(connection)
            head = connection.scalar(sa.select(feed.c.head)) or 0
        yield gauge(
            "dicoevent_outbox_unsent_messages", "Rows the queues do not have yet, up to 10,000.", unsent
        )
        yield gauge("dicoevent_outbox_oldest_unsent_age_seconds", "How long the oldest of them waits.", age)
        yield gauge("dicoevent_feed_head_position", "The newest position of this publisher's feed.", head)

    return read
