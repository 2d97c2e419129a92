"""`python -m services.tickets api|consumer|migrate`"""

import sys
from collections.abc import Sequence
from types import ModuleType

from services.tickets.settings import read_settings
from shared import process


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    return process.main("tickets", ("api", "consumer", "migrate"), read_settings, _bootstrap, arguments)


def _bootstrap() -> ModuleType:
    from services.tickets import bootstrap

    return bootstrap


if __name__ == "__main__":
    sys.exit(main())
