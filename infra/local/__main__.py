"""`scripts/up` and `scripts/down`."""

import argparse
import sys
from collections.abc import Sequence

from shared.settings import SettingError


def main(arguments: Sequence[str]) -> int:
    """0 when all went well; 1 and one clear line when something is wrong."""
    from infra.local.runner import down, up

    options = _parser().parse_args(arguments)
    try:
        return up(options.demo, options.detach) if options.command == "up" else down()
    except SettingError as error:
        sys.stderr.write(f"{error}\n")
    except OSError as error:
        sys.stderr.write(f"DICOEVENT_HOME: {error}\n")
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", prog="scripts/up", help="start the whole system")
    up.add_argument("--demo", action="store_true", help="play the main job once everything runs")
    up.add_argument("--detach", action="store_true", help="return when every process is healthy")
    commands.add_parser("down", prog="scripts/down", help="stop what scripts/up --detach started")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
