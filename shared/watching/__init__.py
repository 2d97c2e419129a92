"""What makes a process visible from outside, as the environment says: its numbers and its traces."""

from shared import tracing
from shared.metrics import read_metrics_bind, serve_metrics
from shared.settings import Environment


def start(process: str, env: Environment) -> None:
    """Serves the numbers of this process, and sends its spans where it is told to. Raises SettingError."""
    serve_metrics(read_metrics_bind(env))
    tracing.start(process, env)
