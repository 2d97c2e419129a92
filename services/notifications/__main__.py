"""`python -m services.notifications api | consumer | delivery | beat | migrate | rebuild`"""

import sys
from collections.abc import Sequence
from pathlib import Path

from shared.settings import SettingError, process_environment

MIGRATIONS = Path(__file__).parent / "migrations"
PROCESSES = ("api", "consumer", "delivery", "beat", "migrate", "rebuild")


def main(arguments: Sequence[str]) -> int:
    """Runs one process of this service; returns its exit code."""
    if len(arguments) != 1 or arguments[0] not in PROCESSES:
        sys.stderr.write(f"usage: python -m services.notifications {'|'.join(PROCESSES)}\n")
        return 2
    try:
        run(arguments[0])
    except SettingError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def run(process: str) -> None:
    """Starts the process and stays in it until it ends."""
    from services.notifications.settings import read_settings

    settings = read_settings(process_environment())
    if process == "migrate":
        from shared.database import migrate

        migrate(settings.database_url, MIGRATIONS, "notifications")
        return

    from services.notifications import bootstrap
    from shared import watching
    from shared.logging import configure

    configure(f"notifications-{process}", settings.log_level)
    watching.start(f"notifications-{process}", process_environment())
    if process == "api":
        from shared.http import read_drain, serve

        serve(bootstrap.make_http_app(settings), settings.bind, read_drain(process_environment()))
    elif process == "consumer":
        bootstrap.run_consumer(settings)
    elif process == "delivery":
        bootstrap.run_delivery(settings)
    elif process == "rebuild":
        sys.stdout.write(bootstrap.run_rebuild(settings))
    else:
        bootstrap.run_beat(settings)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
