"""A Celery app for named queues on Redis."""

from typing import Any

from celery import Celery
from kombu import Exchange, Queue

from shared.messages import consumers_of

# Every process on one Redis must agree: any of them gives back what another did not acknowledge in time.
VISIBILITY_TIMEOUT_SECONDS = 120


def make_celery(broker_url: str, name: str, queues: tuple[str, ...]) -> Celery:
    """An app that knows `queues`, each on the default exchange, and never waits for Redis without an end."""
    app = Celery(name, broker=broker_url, set_as_current=False)
    app.conf.update(
        broker_transport="shared.broker.transport:TolerantTransport",
        broker_transport_options={
            "visibility_timeout": VISIBILITY_TIMEOUT_SECONDS,
            "socket_timeout": 2,
            "socket_connect_timeout": 2,
            "socket_keepalive": True,
            "unacked_restore_throttle": 1,
        },
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=2,
        # A topic or fanout exchange on Redis drops what nobody is bound to, and a flushed server has no
        # bindings at all; the default exchange needs none.
        task_queues=[Queue(queue, Exchange(""), routing_key=queue) for queue in queues],
        task_default_queue=queues[0],
        task_default_exchange="",
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_publish_retry=False,
        worker_prefetch_multiplier=1,
        worker_consumer="shared.broker.consumer:KeepingConsumer",
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_send_task_events=False,
        accept_content=["json"],
        enable_utc=True,
    )
    return app


class BrokerSender:
    """Sends envelopes as Celery tasks named by their type."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def send(self, message_type: str, envelope: dict[str, Any]) -> None:
        """Puts one envelope on the queue of each of its consumers."""
        for queue in consumers_of(message_type):
            self._app.send_task(message_type, args=[envelope], queue=queue, exchange="", routing_key=queue)
