"""Rebuilds a projection of a running system from its owners; messages go on meanwhile, nobody is mailed."""

import argparse
import sys
from collections.abc import Sequence

import httpx
from sqlalchemy.exc import SQLAlchemyError

from infra.local.chosen import tool_environment
from services.notifications import bootstrap
from services.notifications.settings import read_settings
from shared.logging.masking import mask_text
from shared.settings import SettingError


def main(arguments: Sequence[str]) -> int:
    """0 when all was looked at; 1 and one line when the database or an owner cannot be reached."""
    parser = argparse.ArgumentParser(prog="scripts/rebuild", description=__doc__)
    parser.add_argument("service", choices=("notifications",))
    parser.parse_args(arguments)
    try:
        bootstrap.run_rebuild(read_settings(tool_environment()))
    except SettingError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except (httpx.HTTPError, SQLAlchemyError) as error:
        sys.stderr.write(f"not finished, and may be started again: {mask_text(str(error))}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
