"""A consumer as numbers: how far it has read each feed, and what it could not take."""

from collections.abc import Iterable, Mapping

import httpx
import sqlalchemy as sa
from prometheus_client.core import GaugeMetricFamily, Metric

from shared.http.replicas import base_of, open_client
from shared.inbox import store
from shared.inbox.store import Cursor
from shared.metrics.scrape import Read, gauge


def feed_metrics(engine: sa.Engine, feeds: Mapping[str, str], service_token: str) -> Read:
    """Position, lag and age of the oldest unread row of each feed; `feeds` maps a source to its address.

    The age is told by the publisher's database clock. A publisher that is away is left out.
    """
    client = open_client(*feeds.values(), timeout=1.0, headers={"X-Service-Token": service_token})

    def read() -> Iterable[Metric]:
        position = _family("dicoevent_feed_position", "Up to where a publisher's feed was taken in.")
        lag = _family("dicoevent_feed_lag_messages", "Messages of a feed that were not taken in yet.")
        age = _family("dicoevent_feed_oldest_unread_age_seconds", "How long the oldest of them is there.")
        with engine.connect() as connection:
            connection.execute(sa.text("SET LOCAL statement_timeout = 2000"))
            cursors = {source: store.cursor_of(connection, source) for source in feeds}
        for source, cursor in cursors.items():
            position.add_metric([source], cursor.position)
            page = _next_page(client, base_of(feeds[source]), cursor)
            if page is not None:
                lag.add_metric([source], page["head"] - page["after"])
                age.add_metric([source], page["oldest_age_seconds"])
        yield from (position, lag, age)

    return read


def dead_letter_metrics(engine: sa.Engine) -> Read:
    """How many dead letters wait for somebody to look at them."""

    def read() -> Iterable[Metric]:
        with engine.connect() as connection:
            connection.execute(sa.text("SET LOCAL statement_timeout = 2000"))
            waiting = store.count_dead_letters(connection)
        yield gauge("dicoevent_dead_letters_waiting", "Dead letters not replayed, up to 10,000.", waiting)

    return read


def _family(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=["source"])


def _next_page(client: httpx.Client, url: str, cursor: Cursor) -> dict | None:
    """The head of a feed and the age of its first row that was not read."""
    try:
        page = _ask(client, url, cursor.position, cursor.last_id)
        same = not cursor.position or (page["epoch"] == cursor.epoch and page["known"])
        # Of another feed than the one that was read, everything is unread.
        return page if same else _ask(client, url, 0, "")
    except (httpx.HTTPError, ValueError, KeyError):
        return None


def _ask(client: httpx.Client, url: str, after: int, last_id: str) -> dict:
    query: dict[str, str | int] = {"after": after, "limit": 1, "last": last_id}
    answer = client.get(f"{url}/internal/feed", params=query)
    return {**answer.raise_for_status().json(), "after": after}
