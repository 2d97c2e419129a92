"""Builds the processes; nothing else builds anything."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
from fastapi import FastAPI
from sqlalchemy import Engine

from services.accounts.api import Wiring, make_app
from services.accounts.handlers import ensure_superuser
from services.accounts.settings import Settings
from services.accounts.throttle import LoginThrottle, redis_storage
from services.accounts.tokens import Signer
from shared.auth import Authenticator, TokenVerifier
from shared.broker import BrokerSender, make_celery
from shared.database import make_engine, migrate
from shared.http import database_check, redis_check, serve
from shared.metrics.scrape import sources
from shared.outbox import Relay
from shared.outbox.metrics import outbox_metrics
from shared.retention import publisher_rules, read_retention, start_pruning
from shared.settings import process_environment

MIGRATIONS = Path(__file__).parent / "migrations"


def run_api(settings: Settings) -> None:
    """Serves HTTP and relays the outbox until SIGTERM."""
    keep = read_retention(process_environment())
    engine = make_engine(settings.database_url, "accounts-api", pool_size=10)
    start_pruning(engine, publisher_rules(keep))
    app = build_app(settings, engine)
    first = settings.superuser
    if first is not None:
        with engine.begin() as connection:
            if ensure_superuser(connection, first.username, first.password, first.email):
                structlog.get_logger(__name__).info("superuser.made", username=first.username)
    serve(app, settings.bind)
    engine.dispose()


def build_app(settings: Settings, engine: Engine) -> FastAPI:
    """The API with its relay, which runs as long as the app does. Needs no Redis to start."""
    app = make_celery(settings.broker_url, "accounts", ("events", "tickets", "notifications"))
    relay = Relay(engine, settings.database_url, BrokerSender(app))
    sources.expose("outbox", outbox_metrics(engine))
    signer = Signer.from_pem(settings.signing_key)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        relay.start()
        yield
        relay.stop()

    wiring = Wiring(
        engine=engine,
        signer=signer,
        authenticator=Authenticator(TokenVerifier(signer)),
        throttle=LoginThrottle(settings.login_attempts_per_minute, redis_storage(settings.broker_url)),
        gateway_networks=settings.gateway_networks,
        service_token=settings.service_token,
    )
    vital = {"database": database_check(engine)}
    return make_app(wiring, vital, {"redis": redis_check(settings.broker_url)}, lifespan)


def run_migrate(settings: Settings) -> None:
    """Brings the database to the newest revision."""
    migrate(settings.database_url, MIGRATIONS, "accounts")
