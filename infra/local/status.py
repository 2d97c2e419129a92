"""One screen of a running system: processes, queues, lag, what is due next, what failed last."""

import argparse
import sys
import threading
from collections.abc import Sequence

from rich.console import Console
from rich.live import Live

from infra.local.chosen import DEFAULT_HOME, tool_environment
from infra.local.status_facts import gather
from infra.local.status_screen import render

_PIPE_WIDTH = 120


def main(arguments: Sequence[str]) -> int:
    """0 when left with Ctrl-C or after one frame; 1 when no system has run in this data folder."""
    parser = argparse.ArgumentParser(prog="scripts/status", description=__doc__)
    parser.add_argument("--once", action="store_true", help="print one frame and end")
    parser.add_argument("--every", type=float, default=2.0, metavar="SECONDS", help="how often to look (2)")
    options = parser.parse_args(arguments)
    environment = tool_environment()
    if "API_URL" not in environment:
        home = environment.get("DICOEVENT_HOME") or DEFAULT_HOME
        sys.stderr.write(f"No system has been started in {home}: scripts/up\n")
        return 1
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PIPE_WIDTH)
    if options.once or not console.is_terminal:
        console.print(render(gather(environment), console.width))
        return 0
    return _watch(console, environment, max(0.5, options.every))


def _watch(console: Console, environment: dict[str, str], every: float) -> int:
    pause = threading.Event()
    try:
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                live.update(render(gather(environment), console.width), refresh=True)
                pause.wait(every)
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
