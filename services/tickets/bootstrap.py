"""Builds the processes; nothing else builds anything."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from sqlalchemy import Engine

from services.tickets.api import Desk, Wiring, make_app
from services.tickets.beat import Beat
from services.tickets.consumer import HANDLERS
from services.tickets.owners import Owners
from services.tickets.settings import Settings
from shared.auth import Authenticator, RemoteKeys, TokenVerifier
from shared.broker import BrokerSender, make_celery, run_worker, wire_receiver
from shared.broker.metrics import queue_metrics
from shared.database import make_engine, migrate
from shared.http import Owner, database_check, redis_check, serve
from shared.inbox import FeedReader, Receiver
from shared.inbox.metrics import dead_letter_metrics, feed_metrics
from shared.metrics.scrape import sources
from shared.outbox import Relay
from shared.outbox.metrics import outbox_metrics
from shared.retention import consumer_rules, publisher_rules, read_retention, start_pruning
from shared.settings import process_environment

MIGRATIONS = Path(__file__).parent / "migrations"


def run_api(settings: Settings) -> None:
    """Serves HTTP, relays the outbox and lets unpaid holds expire until SIGTERM."""
    keep = read_retention(process_environment())
    engine = make_engine(settings.database_url, "tickets-api", pool_size=20)
    start_pruning(engine, [*publisher_rules(keep), *consumer_rules(keep)])
    serve(build_app(settings, engine), settings.bind)
    engine.dispose()


def build_app(settings: Settings, engine: Engine) -> FastAPI:
    """The API with its relay and beat, which run as long as the app does. Needs no Redis to start."""
    app = make_celery(settings.broker_url, "tickets", ("notifications",))
    relay = Relay(engine, settings.database_url, BrokerSender(app))
    sources.expose("outbox", outbox_metrics(engine))
    token = settings.service_token
    owners = Owners(engine, Owner(settings.accounts_url, token), Owner(settings.events_url, token))
    beat = Beat(engine, settings.keep_keys)
    desk = Desk(engine)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        relay.start()
        beat.start()
        yield
        beat.stop()
        relay.stop()
        desk.close()
        owners.close()

    authenticator = Authenticator(TokenVerifier(RemoteKeys(settings.accounts_url)))
    vital = {"database": database_check(engine)}
    return make_app(
        Wiring(engine, authenticator, owners, desk, token, settings.order_hold),
        vital,
        {"redis": redis_check(settings.broker_url)},
        lifespan,
    )


def run_consumer(settings: Settings) -> None:
    """Takes messages from the queue `tickets` and from the feeds of accounts and events until SIGTERM."""
    engine = make_engine(settings.database_url, "tickets-consumer")
    feeds = {"/accounts": settings.accounts_url, "/events": settings.events_url}
    reader = FeedReader(engine, feeds, settings.service_token)
    receiver = reader.receiver = Receiver(engine, HANDLERS, on_gap=reader.wake)
    app = make_celery(settings.broker_url, "tickets", ("tickets",))
    wire_receiver(app, receiver, HANDLERS)
    sources.expose("feeds", feed_metrics(engine, feeds, settings.service_token))
    sources.expose("queues", queue_metrics(settings.broker_url, ("tickets",)))
    sources.expose("dead letters", dead_letter_metrics(engine))
    reader.start()
    try:
        run_worker(app, "tickets-consumer", ("tickets",), settings.heartbeat)
    finally:
        reader.stop()
        engine.dispose()


def run_migrate(settings: Settings) -> None:
    """Brings the database to the newest revision."""
    migrate(settings.database_url, MIGRATIONS, "tickets")
