"""How much waits in the queues."""

from collections.abc import Iterable, Sequence

import redis
from prometheus_client.core import Metric

from shared.metrics.scrape import Read, gauges


def queue_metrics(broker_url: str, queues: Sequence[str]) -> Read:
    """Messages in each queue, and those that a worker has and did not acknowledge."""
    client = redis.Redis.from_url(broker_url, socket_timeout=1, socket_connect_timeout=1, retry=None)

    def read() -> Iterable[Metric]:
        depths = [(queue, float(client.llen(queue))) for queue in queues]
        yield gauges("dicoevent_queue_messages", "Messages that wait in a queue.", "queue", depths)
        unacked = [("all", float(client.hlen("unacked")))]
        yield gauges(
            "dicoevent_queue_unacknowledged_messages", "Messages in workers' hands.", "queue", unacked
        )

    return read
