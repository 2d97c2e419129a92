"""`python -m services migrate` brings the databases of all four services to their newest revision."""

import sys
from collections.abc import Sequence
from pathlib import Path

from shared.settings import SettingError, database_url, process_environment

SERVICES = ("accounts", "events", "tickets", "notifications")


def main(arguments: Sequence[str]) -> int:
    """0 when all are there; 1 and one line for a wrong setting."""
    if list(arguments) != ["migrate"]:
        sys.stderr.write("usage: python -m services migrate\n")
        return 2
    env = process_environment()
    try:
        urls = {service: database_url(env, f"{service.upper()}_DATABASE_URL") for service in SERVICES}
    except SettingError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    from shared.database import migrate

    for service, url in urls.items():
        migrate(url, Path(__file__).parent / service / "migrations", service)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
