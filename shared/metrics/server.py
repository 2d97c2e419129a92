"""The listener for `/metrics` of processes that have no API: consumers, delivery, beat, and the gateway."""

import structlog
from prometheus_client import start_http_server

from shared.settings import Environment, address

log = structlog.get_logger(__name__)


def read_metrics_bind(env: Environment) -> tuple[str, int] | None:
    """METRICS_BIND, `host:port`; None when it is not set. Raises SettingError."""
    return address(env, "METRICS_BIND", "") if env.get("METRICS_BIND", "").strip() else None


def serve_metrics(bind: tuple[str, int] | None) -> None:
    """Serves in a thread. A taken port costs the numbers and not the process: mail matters more."""
    if bind is None:
        return
    host, port = bind
    try:
        start_http_server(port, host)
    except OSError as error:
        log.error("metrics.no_listener", host=host, port=port, error=str(error))
