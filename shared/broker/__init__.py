"""Celery on Redis, with what is known to go wrong there made right.

app.py        settings, and sending      worker.py    a consumer process
consumer.py   no message is forgotten    transport.py no bytes stop a worker
stretch.py    many messages at once
"""

from shared.broker.app import BrokerSender, make_celery
from shared.broker.worker import run_worker, wire_receiver

__all__ = ["BrokerSender", "make_celery", "run_worker", "wire_receiver"]
