"""Counters, gauges and histograms that several processes have. No label has unbounded values."""

from prometheus_client import Counter, Gauge, Histogram

REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

http_requests = Counter("dicoevent_http_requests_total", "Requests answered.", ["method", "route", "status"])
http_seconds = Histogram(
    "dicoevent_http_request_duration_seconds",
    "Time from a request to the end of its answer.",
    ["method", "route"],
    buckets=REQUEST_BUCKETS,
)

relay_sent = Counter("dicoevent_relay_sent_total", "Outbox rows put on the queues.")
relay_breaker = Gauge(
    "dicoevent_relay_breaker_open", "1 while the queues take nothing and rows wait in the outbox."
)

inbox_messages = Counter(
    "dicoevent_inbox_messages_total",
    "Messages taken in; a double is one that was here before and changed nothing.",
    ["type", "outcome"],
)
dead_letters = Counter("dicoevent_dead_letters_total", "Messages that could not be taken, and were kept.")
feed_restarts = Counter(
    "dicoevent_feed_restarts_total",
    "Times a publisher's feed was read anew, because its database went back in time or is another one.",
    ["source"],
)
feed_missed = Counter(
    "dicoevent_feed_missed_messages_total",
    "Feed positions that were pruned by the publisher before they were read here: rebuild the projection.",
    ["source"],
)
pruned_rows = Counter("dicoevent_pruned_rows_total", "Rows deleted because their time is over.", ["rule"])
