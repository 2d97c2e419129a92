"""`scripts/bench NAME [options]`: each measurement beside its yardstick, in one run on one machine."""

import importlib
import sys
from collections.abc import Sequence

# name -> (module with `main(arguments) -> exit code`, what it measures)
BENCHES: dict[str, tuple[str, str]] = {
    "api": ("tests.bench.api", "reads and orders through the gateway, beside an echo and nginx"),
    "fanout": ("tests.bench.fanout", "one event's reminders to all its holders"),
    "lateness": ("tests.bench.lateness", "many events due at the same second"),
    "old-rows": ("tests.bench.old_rows", "the engine's steps with an empty history and with a long one"),
    "machines": ("tests.machines.bench", "several machines (network namespaces; root)"),
    "intake": ("tests.bench.intake", "orders by queue and by feed, beside a Celery task that does nothing"),
}


def main(arguments: Sequence[str]) -> int:
    """Runs one measurement; 2 when there is none of this name."""
    if not arguments or arguments[0] not in BENCHES:
        lines = [f"  {name:10} {what}" for name, (_, what) in BENCHES.items()]
        sys.stdout.write("\n".join(["usage: scripts/bench NAME [options]", "", *lines, ""]))
        return 0 if arguments[:1] == ["--help"] else 2
    module = importlib.import_module(BENCHES[arguments[0]][0])
    return module.main(arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
