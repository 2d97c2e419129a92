"""`python -m services.accounts api|migrate`."""

import argparse
import sys
from collections.abc import Sequence

from services.accounts.settings import Settings, read_settings
from shared.settings import SettingError, process_environment


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 after an orderly stop, 1 for a wrong setting."""
    parser = argparse.ArgumentParser(prog="python -m services.accounts", description=__doc__)
    parser.add_argument("role", choices=("api", "migrate"))
    role = parser.parse_args(arguments).role
    try:
        run(role, read_settings(process_environment()))
    except SettingError as error:
        sys.stderr.write(f"accounts: {error}\n")
        return 1
    return 0


def run(role: str, settings: Settings) -> None:
    """Runs one role until it ends."""
    # FastAPI and Celery take a second to import: a wrong setting shall not wait for them.
    from services.accounts import bootstrap
    from shared import logging, watching

    logging.configure(f"accounts-{role}", settings.log_level)
    if role != "migrate":
        watching.start(f"accounts-{role}", process_environment())
    roles = {
        "api": bootstrap.run_api,
        "migrate": bootstrap.run_migrations,
    }
    roles[role](settings)


if __name__ == "__main__":
    sys.exit(main())
