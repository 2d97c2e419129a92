"""Moves an installation of the old DicoEvent (Django) over. May be run again: it goes on where it stood.

Reads users, groups, events, tickets, registrations and payments of its PostgreSQL database and changes
nothing there. The system here may run meanwhile. Exit status: 0 when everything was brought over, 2 when
something was left out, 1 when it could not be done.
"""

import argparse
import sys
from collections.abc import Sequence

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from infra.importer.report import Report
from infra.local.chosen import tool_environment
from shared.database import make_engine, migrate
from shared.settings import Environment, SettingError, database_url, time_zone


def main(arguments: Sequence[str]) -> int:
    """0, 1 or 2 as the module says."""
    options = _options(arguments)
    environment: dict[str, str] = dict(tool_environment())
    if options.source:
        environment["DJANGO_DATABASE_URL"] = options.source
    try:
        return _run(environment, dict(options.table))
    except SettingError as error:
        sys.stderr.write(f"import-dicoevent: {error}\n")
    except DBAPIError as error:
        sys.stderr.write(f"import-dicoevent: {' '.join(str(error.orig).split())}\n")
    return 1


def _run(environment: Environment, named: dict[str, str]) -> int:
    # They take a second to import: a wrong setting shall not wait for them.
    from infra.importer.errors import SourceError
    from infra.importer.move import Targets, move

    old = make_engine(database_url(environment, "DJANGO_DATABASE_URL"), "import-from", pool_size=1)
    zone = time_zone(environment, "DEFAULT_TIME_ZONE", "Asia/Jakarta")
    targets = Targets(*(_target(environment, name) for name in ("accounts", "events", "tickets")))
    report = Report(lambda line: sys.stderr.write(f"{line}\n"))
    with old.connect() as connection:
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        # Between two batches this connection waits for our own writes.
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        try:
            move(connection, targets, zone, named, report)
        except SourceError as error:
            sys.stderr.write(f"import-dicoevent: {error}\n")
            return 1
    sys.stdout.write("\n".join(report.lines()) + "\n")
    return 2 if report.left_out else 0


def _target(environment: Environment, service: str) -> Engine:
    from importlib import import_module

    url = database_url(environment, f"{service.upper()}_DATABASE_URL")
    migrate(url, import_module(f"services.{service}.bootstrap").MIGRATIONS, service)
    return make_engine(url, "import-to", pool_size=2)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/import-dicoevent", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--from", dest="source", metavar="URL", help="the old database; default: DJANGO_DATABASE_URL"
    )
    parser.add_argument(
        "--table",
        action="append",
        default=[],
        metavar="KIND=NAME",
        type=_pair,
        help="a table that is called otherwise: users, groups, memberships, events,\n"
        "tickets, registrations, payments",
    )
    return parser.parse_args(arguments)


def _pair(text: str) -> tuple[str, str]:
    kind, equals, name = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not KIND=NAME")
    return kind, name


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
