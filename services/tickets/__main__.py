"""`python -m services.tickets api|consumer|migrate`."""

import argparse
import sys
from collections.abc import Sequence

from services.tickets.settings import Settings, read_settings
from shared.settings import SettingError, process_environment


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 after an orderly stop, 1 for a wrong setting."""
    parser = argparse.ArgumentParser(prog="python -m services.tickets", description=__doc__)
    parser.add_argument("role", choices=("api", "consumer", "migrate"))
    role = parser.parse_args(arguments).role
    try:
        run(role, read_settings(process_environment()))
    except SettingError as error:
        sys.stderr.write(f"tickets: {error}\n")
        return 1
    return 0


def run(role: str, settings: Settings) -> None:
    """Runs one role until it ends."""
    # FastAPI and Celery take a second to import: a wrong setting shall not wait for them.
    from services.tickets import bootstrap
    from shared import logging, watching

    logging.configure(f"tickets-{role}", settings.log_level)
    if role != "migrate":
        watching.start(f"tickets-{role}", process_environment())
    roles = {
        "api": bootstrap.run_api,
        "consumer": bootstrap.run_consumer,
        "migrate": bootstrap.run_migrations,
    }
    roles[role](settings)


if __name__ == "__main__":
    sys.exit(main())
