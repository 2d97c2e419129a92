"""`python -m services migrate` brings the databases of all four services to their newest revision;
`python -m services restored [SERVICE ..]`, once after a restore, makes databases fit to publish again.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from shared.settings import SettingError, database_url, process_environment

SERVICES = ("accounts", "events", "tickets", "notifications")
# What a publisher counts versions of.
VERSIONED = {"accounts": "users", "events": "events", "tickets": "orders"}


def main(arguments: Sequence[str]) -> int:
    """0 when all are there; 1 and one line for a wrong setting."""
    command, *named = arguments or [""]
    known = VERSIONED if command == "restored" else SERVICES
    if command not in ("migrate", "restored") or (command == "migrate" and named) or set(named) - set(known):
        sys.stderr.write(f"usage: python -m services migrate | restored [{'|'.join(VERSIONED)} ..]\n")
        return 2
    env = process_environment()
    try:
        urls = {name: database_url(env, f"{name.upper()}_DATABASE_URL") for name in named or known}
    except SettingError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if command == "migrate":
        _migrate(urls)
    else:
        _restored(urls)
    return 0


def _migrate(urls: Mapping[str, str]) -> None:
    from shared.database import migrate

    for service, url in urls.items():
        migrate(url, Path(__file__).parent / service / "migrations", service)


def _restored(urls: Mapping[str, str]) -> None:
    from shared.database import make_engine
    from shared.outbox.restored import after_restore

    for service, url in urls.items():
        engine = make_engine(url, f"{service}-restored", pool_size=1)
        with engine.begin() as connection:
            lifted = after_restore(connection, VERSIONED[service])
        engine.dispose()
        sys.stdout.write(f"{service}: a new epoch at its next start, {lifted} versions lifted\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
