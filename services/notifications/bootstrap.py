"""All wiring of notifications; the only place that builds things."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from celery import Celery
from fastapi import FastAPI
from redis import Redis
from sqlalchemy import Engine

from services.notifications import metrics, retention, tasks
from services.notifications.handlers import MessageHandlers
from services.notifications.intake import Intake
from services.notifications.planning import plan_due
from services.notifications.settings import Settings
from shared.broker import run_worker, wire_receiver
from shared.broker.metrics import queue_metrics
from shared.database import Listener, make_engine, migrate
from shared.http import serve
from shared.inbox import FeedReader, Receiver
from shared.inbox.metrics import dead_letter_metrics, feed_metrics
from shared.messages import SHAPES
from shared.metrics.scrape import sources
from shared.retention import read_retention, start_pruning
from shared.settings import process_environment

MIGRATIONS = Path(__file__).parent / "migrations"


def make_handlers(settings: Settings) -> MessageHandlers:
    """What happens when a message comes."""
    return MessageHandlers(settings.reminders)


def make_receiver(engine: Engine, settings: Settings, reader: FeedReader | None = None) -> Receiver:
    """The door for messages, with this service's handlers behind it."""
    handlers = make_handlers(settings)
    on_gap = reader.wake if reader else None
    return Receiver(engine, handlers.table(), on_gap, take_all=Intake(handlers).take_all)


def feeds_of(settings: Settings) -> dict[str, str]:
    """The three publishers: source -> base URL."""
    return {
        "/accounts": settings.accounts_url,
        "/events": settings.events_url,
        "/tickets": settings.tickets_url,
    }


def make_feed_reader(engine: Engine, settings: Settings) -> FeedReader:
    """Reads the feeds of the three publishers."""
    return FeedReader(engine, feeds_of(settings), settings.service_token)


def run_api(settings: Settings) -> None:
    """Serves HTTP until SIGTERM."""
    serve(make_http_app(settings), settings.bind)


def make_http_app(settings: Settings) -> FastAPI:
    """The API."""
    from services.notifications.api import Doors, make_app
    from shared.auth import Authenticator, RemoteKeys, TokenVerifier
    from shared.http import Owner, database_check, redis_check

    engine = make_engine(settings.database_url, "notifications-api", pool_size=10)
    start_pruning(engine, retention.rules(read_retention(process_environment())))
    doors = Doors(
        engine=engine,
        receiver=make_receiver(engine, settings),
        authenticator=Authenticator(TokenVerifier(RemoteKeys(settings.accounts_url))),
        events=Owner(settings.events_url, settings.service_token),
        reminders=settings.reminders,
        mail=settings.mail,
    )
    sources.expose("reminders", metrics.reminder_metrics(engine, settings.reminders.clock_offset))
    sources.expose("dead letters", dead_letter_metrics(engine))
    checks = {"database": database_check(engine)}, {"redis": redis_check(settings.broker_url)}
    return make_app(doors, *checks)


def run_consumer(settings: Settings) -> None:
    """The consumer process: queue and feeds in, projections and runs out."""
    from services.notifications.consumer import QueueRunDesk

    engine = make_engine(settings.database_url, "notifications-consumer")
    reader = make_feed_reader(engine, settings)
    receiver = reader.receiver = make_receiver(engine, settings, reader)
    app = _celery(settings)
    app.desk = QueueRunDesk(engine, receiver, settings.reminders.clock_offset)
    wire_receiver(app, receiver, SHAPES)
    sources.expose("feeds", feed_metrics(engine, feeds_of(settings), settings.service_token))
    sources.expose("queues", queue_metrics(settings.broker_url, (tasks.QUEUE, tasks.WAKE_QUEUE)))
    reader.start()
    run_worker(app, "notifications-consumer", (tasks.QUEUE,), settings.heartbeat)
    reader.stop()


def run_rebuild(settings: Settings) -> None:
    """Rebuilds the projections from their owners, and says what was done in one line for each kind."""
    import httpx

    from services.notifications.rebuild import Rebuild

    engine = make_engine(settings.database_url, "notifications-rebuild", pool_size=1)
    headers = {"X-Service-Token": settings.service_token}
    owners = {
        source: httpx.Client(base_url=url, headers=headers, timeout=10)
        for source, url in feeds_of(settings).items()
    }
    report = Rebuild(engine, owners, make_handlers(settings).table()).run()
    for kind, seen in report.seen.items():
        sys.stdout.write(f"{kind}: {seen} looked at, {report.mended[kind]} put right\n")


def run_migrate(settings: Settings) -> None:
    """Brings the database to the newest revision."""
    migrate(settings.database_url, MIGRATIONS, "notifications")


def run_delivery(settings: Settings) -> None:
    """The delivery process: the sending loop, woken by the queue, by NOTIFY and by its own sweep."""
    from services.notifications import store
    from services.notifications.delivery import DeliveryLoop, run_until_dead
    from services.notifications.rate import RateGate

    # The ledger says which worker sent a mail: by the name of its database connection.
    engine = make_engine(settings.database_url, f"delivery {worker_name()}"[:63], ping=False)
    gate = RateGate(redis_for_rate(settings.broker_url), settings.mail.rate_per_second, worker_name())
    loop = DeliveryLoop(engine, settings.reminders, settings.mail, gate, settings.heartbeat)
    listener = Listener(settings.database_url, store.CHANNEL, loop.wake)
    app = _celery(settings)
    wire_receiver(app, make_receiver(engine, settings), ())

    def wake(*args: Any, **kwargs: Any) -> None:
        loop.wake()

    app.task(name=tasks.WAKE_TASK)(wake)
    listener.start()
    thread = run_until_dead(loop, on_death=lambda: os.kill(os.getpid(), signal.SIGTERM))
    # Its sweep stands in for wake-ups, and it must not be ended in the middle of a mail: no watchdog.
    run_worker(app, "notifications-delivery", (tasks.WAKE_QUEUE,), None, patience=None)
    loop.stop()
    listener.stop()
    thread.join(settings.reminders.grace.total_seconds() + 5)


def redis_for_rate(url: str) -> Redis:
    """The Redis of the token bucket: half a second, then each worker goes by itself."""
    return Redis.from_url(url, socket_timeout=0.5, socket_connect_timeout=0.5, retry=None)


def worker_name() -> str:
    """This process among all delivery workers."""
    return f"{os.uname().nodename}.{os.getpid()}"


def run_beat(settings: Settings) -> None:
    """The beat process: ticks, plans, wakes."""
    import structlog
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.exc import TimeoutError as PoolTimeout

    from services.notifications.beat import make_beat, send_wake_up

    engine = make_engine(settings.database_url, "notifications-beat", pool_size=1)
    app = _celery(settings)

    def tick() -> None:
        metrics.ticks.inc()
        if settings.heartbeat is not None:
            settings.heartbeat.touch()
        try:
            plan_due(engine, settings.reminders)
        except (DBAPIError, PoolTimeout) as error:
            structlog.get_logger(__name__).warning("beat.database_away", error=str(error).strip())
        send_wake_up(app)

    beat = make_beat(app, settings.reminders.tick, tick)
    signal.signal(signal.SIGTERM, lambda *_: beat.stop())
    signal.signal(signal.SIGINT, lambda *_: beat.stop())
    tick()
    beat.start()


def _celery(settings: Settings) -> Celery:
    tasks.app.conf.broker_url = settings.broker_url
    return tasks.app
