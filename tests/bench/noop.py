"""A Celery task that does nothing, with the broker settings of the services: the yardstick of intake."""

import os

from shared.broker import make_celery

app = make_celery(os.environ.get("CELERY_BROKER_URL", "redis://127.0.0.1:1/0"), "noop", ("noop",))
# The services' consumer looks for what only they have.
app.conf.worker_consumer = "celery.worker.consumer:Consumer"


@app.task(name="noop")
def noop(envelope: dict) -> None:
    """Nothing."""
