"""`python -m infra.container.health http PORT | heartbeat SECONDS`: a container's own word on how it is."""

import http.client
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

_TIMEOUT_SECONDS = 3.0


def main(arguments: Sequence[str]) -> int:
    """0 when healthy, else 1 and why."""
    kind, number = arguments
    problem = ask(int(number)) if kind == "http" else look(Path(os.environ["HEARTBEAT_FILE"]), float(number))
    sys.stdout.write(problem or "ok")
    return 1 if problem else 0


def ask(port: int) -> str | None:
    """What is wrong with `GET /health/live` on this port; None when nothing is."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/health/live")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"no answer: {error}"
    finally:
        connection.close()
    return None if status == 200 else f"answered {status}"


def look(heartbeat: Path, seconds: float) -> str | None:
    """What is wrong with a process that touches this file; None when it did so within `seconds`."""
    try:
        age = time.time() - heartbeat.stat().st_mtime
    except FileNotFoundError:
        return "no heartbeat yet"
    return None if age <= seconds else f"the last heartbeat is {age:.0f} s old"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
