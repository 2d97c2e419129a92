"""A Celery app for named queues on Redis."""

from collections.abc import Sequence
from typing import Any

from celery import Celery
from kombu import Exchange, Producer, Queue
from kombu.exceptions import BatchPublishError, OperationalError
from redis import RedisError

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

    def send(self, messages: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Puts (type, envelope) on the queue of each of its consumers, all in one round trip; raises kombu's
        OperationalError when it is not known that Redis has them all.
        """
        try:
            with self._app.producer_or_acquire() as producer, producer.batch():
                for message_type, envelope in messages:
                    for queue in consumers_of(message_type):
                        self._send_task(producer, message_type, envelope, queue)
        except (BatchPublishError, RedisError) as error:
            raise OperationalError(f"{type(error.__cause__ or error).__name__}: {error}") from error

    def _send_task(self, producer: Producer, name: str, envelope: dict[str, Any], queue: str) -> None:
        self._app.send_task(
            name, args=[envelope], queue=queue, exchange="", routing_key=queue, producer=producer
        )
