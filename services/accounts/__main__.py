"""`python -m services.accounts api|migrate`"""

import sys
from collections.abc import Sequence
from types import ModuleType

from services.accounts.settings import read_settings
from shared import process


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    return process.main("accounts", ("api", "migrate"), read_settings, _bootstrap, arguments)


def _bootstrap() -> ModuleType:
    from services.accounts import bootstrap

    return bootstrap


if __name__ == "__main__":
    sys.exit(main())
