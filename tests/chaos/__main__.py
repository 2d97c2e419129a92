"""`scripts/chaos`: breaks things on purpose and counts what was lost and what came twice.

scripts/chaos [--minutes N] [--seed S]     the soak: every fault in a whole system under load
scripts/chaos kill [--rounds N] [--seed S] kill -9 of the delivery process at each step of a reminder's way
"""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Runs the soak, or the trial `kill`; returns the exit code."""
    if arguments[:1] == ["kill"]:
        from tests.chaos import kill

        return kill.main(arguments[1:])
    from tests.chaos import soak

    return soak.main(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
