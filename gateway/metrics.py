"""Requests at the public address as numbers; served on METRICS_BIND, never on the public port."""

from prometheus_client import Counter, Histogram

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

requests = Counter(
    "dicoevent_gateway_requests_total",
    "Requests answered, by the service they were passed to; none: a page of the gateway, or a refusal.",
    ["upstream", "status"],
)
seconds = Histogram(
    "dicoevent_gateway_request_duration_seconds",
    "Time from a request to the end of its answer.",
    ["upstream"],
    buckets=BUCKETS,
)


def observe(upstream: str | None, status: int, duration: float) -> None:
    """Counts one answered request; `duration` in seconds."""
    requests.labels(upstream or "none", str(status)).inc()
    seconds.labels(upstream or "none").observe(duration)
