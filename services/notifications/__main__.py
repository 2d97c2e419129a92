"""`python -m services.notifications api|consumer|delivery|beat|migrate|rebuild`"""

import sys
from collections.abc import Sequence
from types import ModuleType

from services.notifications.settings import read_settings
from shared import process

ROLES = ("api", "consumer", "delivery", "beat", "migrate", "rebuild")


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    return process.main("notifications", ROLES, read_settings, _bootstrap, arguments)


def _bootstrap() -> ModuleType:
    from services.notifications import bootstrap

    return bootstrap


if __name__ == "__main__":
    sys.exit(main())
