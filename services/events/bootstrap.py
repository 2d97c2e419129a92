"""Builds the processes; nothing else builds anything."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from sqlalchemy import Engine

from services.events.api import Wiring, make_app
from services.events.api.shapes import EventPage
from services.events.cache import AnswerCache, GenerationReader
from services.events.consumer import HANDLERS
from services.events.settings import Settings
from services.events.storage import PosterStorage
from services.events.storage.folder import FolderStorage
from services.events.sweeper import Sweeper
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
    """Serves HTTP and relays the outbox until SIGTERM."""
    keep = read_retention(process_environment())
    engine = make_engine(settings.database_url, "events-api", pool_size=10)
    start_pruning(engine, [*publisher_rules(keep), *consumer_rules(keep)])
    serve(build_app(settings, engine), settings.bind)
    engine.dispose()


def build_app(settings: Settings, engine: Engine) -> FastAPI:
    """The API with its relay, which runs as long as the app does. Needs no Redis to start."""
    app = make_celery(settings.broker_url, "events", ("tickets", "notifications"))
    relay = Relay(engine, settings.database_url, BrokerSender(app))
    sources.expose("outbox", outbox_metrics(engine))
    accounts = Owner(settings.accounts_url, settings.service_token)
    storage = make_storage(settings)
    sweeper = Sweeper(engine, storage)
    cache = make_cache(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        relay.start()
        sweeper.start()
        yield
        await cache.close()
        sweeper.stop()
        relay.stop()
        accounts.close()

    wiring = Wiring(
        engine=engine,
        authenticator=Authenticator(TokenVerifier(RemoteKeys(settings.accounts_url))),
        accounts=accounts,
        service_token=settings.service_token,
        default_zone=settings.default_zone,
        default_lead=settings.default_lead,
        cache=cache,
        posters=storage,
        on_gone=sweeper.wake,
    )
    vital = {"database": database_check(engine)}
    useful = {"redis": redis_check(settings.broker_url), "posters": storage.check}
    return make_app(wiring, vital, useful, lifespan)


def make_storage(settings: Settings) -> PosterStorage:
    """Posters on S3 if that is set, else in a folder."""
    if settings.s3 is None:
        return FolderStorage(settings.poster_dir)
    # boto3 takes long to import, and only this needs it.
    from services.events.storage.s3 import S3Storage

    return S3Storage(settings.s3)


def make_cache(settings: Settings) -> AnswerCache:
    """Answers of one meaning: the same settings and the same shape."""
    shape = json.dumps(EventPage.model_json_schema(), sort_keys=True)
    meaning = f"{settings.default_zone} {settings.default_lead} {shape}"
    return AnswerCache(GenerationReader(settings.database_url), settings.broker_url, meaning)


def run_consumer(settings: Settings) -> None:
    """Takes messages from the queue `events` and from accounts' feed until SIGTERM."""
    engine = make_engine(settings.database_url, "events-consumer")
    feeds = {"/accounts": settings.accounts_url}
    reader = FeedReader(engine, feeds, settings.service_token)
    receiver = Receiver(engine, HANDLERS, on_gap=reader.wake)
    reader.receiver = receiver
    app = make_celery(settings.broker_url, "events", ("events",))
    wire_receiver(app, receiver, HANDLERS)
    sources.expose("feeds", feed_metrics(engine, feeds, settings.service_token))
    sources.expose("queues", queue_metrics(settings.broker_url, ("events",)))
    sources.expose("dead letters", dead_letter_metrics(engine))
    reader.start()
    try:
        run_worker(app, "events-consumer", ("events",), settings.heartbeat)
    finally:
        reader.stop()
        engine.dispose()


def run_migrate(settings: Settings) -> None:
    """Brings the database to the newest revision."""
    migrate(settings.database_url, MIGRATIONS, "events")
