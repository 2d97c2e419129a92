"""What Prometheus reads of a process.

instruments.py  counters and histograms that several processes have   http.py    requests, and `GET /metrics`
scrape.py       gauges that are read when somebody looks              server.py  the listener of processes
                                                                                 without an API
"""

from shared.metrics.server import read_metrics_bind, serve_metrics

__all__ = ["read_metrics_bind", "serve_metrics"]
