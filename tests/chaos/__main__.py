"""`scripts/chaos NAME [options]`: breaks things on purpose and counts what was lost and what came twice."""

import importlib
import sys
from collections.abc import Sequence

# name -> (module with `main(arguments) -> exit code`, what it breaks)
TRIALS: dict[str, tuple[str, str]] = {
    "kill": ("tests.chaos.kill", "kill -9 of the delivery process at each step of a reminder's way"),
}


def main(arguments: Sequence[str]) -> int:
    """Runs one trial; 2 when there is none of this name."""
    if not arguments or arguments[0] not in TRIALS:
        lines = [f"  {name:10} {what}" for name, (_, what) in TRIALS.items()]
        sys.stdout.write("\n".join(["usage: scripts/chaos NAME [options]", "", *lines, ""]))
        return 0 if arguments[:1] == ["--help"] else 2
    module = importlib.import_module(TRIALS[arguments[0]][0])
    return module.main(arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
