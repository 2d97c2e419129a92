"""The command line that every service has: `python -m services.SERVICE ROLE`."""

import argparse
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from shared import logging, watching
from shared.settings import Environment, SettingError, process_environment


def main(
    service: str,
    roles: Sequence[str],
    read_settings: Callable[[Environment], Any],
    bootstrap: Callable[[], ModuleType],
    arguments: Sequence[str] | None = None,
) -> int:
    """Runs one role until it ends: the function `run_ROLE(settings)` of the service's bootstrap.

    The settings have a `log_level`. Returns the exit status: 0 after an orderly stop, 1 after one line about
    a wrong setting. An unknown role ends the process with 2, as argparse does.
    """
    parser = argparse.ArgumentParser(prog=f"python -m services.{service}")
    parser.add_argument("role", choices=roles)
    role = parser.parse_args(arguments).role
    try:
        settings = read_settings(process_environment())
        logging.configure(f"{service}-{role}", settings.log_level)
        if role != "migrate":
            watching.start(f"{service}-{role}", process_environment())
        # FastAPI and Celery take a second to import: a wrong setting does not wait for them.
        getattr(bootstrap(), f"run_{role}")(settings)
    except SettingError as error:
        sys.stderr.write(f"{service}: {error}\n")
        return 1
    return 0
