"""Everything the runner reads from the environment and `.env`."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from infra.local.chosen import DEFAULT_HOME
from shared.settings import Environment, SettingError, database_url, integer

# A new PostgreSQL with its write-ahead log, and room to live.
NEEDED_MB = 300
SERVICES = ("accounts", "events", "tickets", "notifications")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator decided; None where the runner chooses."""

    home: Path
    port: int
    server_url: str | None
    database_urls: Mapping[str, str]
    broker_url: str | None
    mail_host: str | None
    environment: Mapping[str, str]

    @property
    def embeds_postgres(self) -> bool:
        return self.server_url is None and len(self.database_urls) < len(SERVICES)


def load_environment(process: Environment) -> dict[str, str]:
    """The process's environment over `.env` of the current folder."""
    file = {name: value for name, value in dotenv_values(".env").items() if value is not None}
    return {**file, **process}


def read_settings(env: Environment) -> Settings:
    """The settings in an environment; raises SettingError naming the variable that is wrong."""
    if bool(env.get("SUPERUSER_USERNAME")) != bool(env.get("SUPERUSER_PASSWORD")):
        raise SettingError("SUPERUSER_PASSWORD", "SUPERUSER_USERNAME and SUPERUSER_PASSWORD go together")
    return Settings(
        home=Path(env.get("DICOEVENT_HOME") or DEFAULT_HOME).absolute(),
        port=integer(env, "PORT", 8000, 1, 65535),
        server_url=database_url(env, "DATABASE_URL") if env.get("DATABASE_URL") else None,
        database_urls={
            service: database_url(env, name)
            for service in SERVICES
            if env.get(name := f"{service.upper()}_DATABASE_URL")
        },
        broker_url=_broker_url(env),
        mail_host=env.get("MAIL_HOST") or None,
        environment=dict(env),
    )


def _broker_url(env: Environment) -> str | None:
    url = env.get("CELERY_BROKER_URL")
    if url and not url.startswith(("redis://", "rediss://")):
        raise SettingError("CELERY_BROKER_URL", f"{url!r} is not a redis:// URL")
    return url or None


def prepare_home(home: Path) -> None:
    """Makes the data folder; raises SettingError when nothing can be written there."""
    try:
        for folder in (home, home / "run", home / "log"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The embedded PostgreSQL of root runs as nobody and has to get through, but not to see.
        home.chmod(0o711 if os.geteuid() == 0 else 0o700)
        probe = home / "run" / ".probe"
        probe.write_bytes(b"x" * 65536)
        probe.unlink()
    except OSError as error:
        raise SettingError("DICOEVENT_HOME", f"{home} cannot be written: {error.strerror}") from None
    free = shutil.disk_usage(home).free // 2**20
    if free < NEEDED_MB:
        raise SettingError("DICOEVENT_HOME", f"{home} is full: {free} MB are free, {NEEDED_MB} are needed")
