"""Puts one message on the queues of its type, as any program with Celery could."""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from infra.local.chosen import tool_environment
from shared.messages import CONSUMERS, new_id

SOURCE = "/inject"


def main(arguments: Sequence[str]) -> int:
    """Sends it and says where; 1 with one line when that is not possible."""
    options = _options(arguments)
    try:
        envelope = make_envelope(options.type, _body(options))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"inject: {error}\n")
        return 1
    queues = options.queue or CONSUMERS.get(options.type.partition(".")[0], ())
    if not queues:
        sys.stderr.write(f"inject: nobody takes {options.type!r}; name a queue with --queue\n")
        return 1
    return _send(envelope, queues)


def make_envelope(message_type: str, body: dict[str, Any]) -> dict[str, Any]:
    """A CloudEvents envelope around `body`, or `body` itself when it is one."""
    if "specversion" in body:
        return {**body, "type": message_type}
    return {
        "specversion": "1.0",
        "id": new_id(),
        "type": message_type,
        "source": SOURCE,
        "time": datetime.now(UTC).isoformat(),
        "data": body,
    }


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/inject", description=__doc__)
    parser.add_argument("type", metavar="TYPE", help="such as ticket.ordered")
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--data", metavar="JSON", help="the message's data, or a whole envelope")
    given.add_argument("--file", metavar="FILE", help="a file with the same; - is standard input")
    parser.add_argument("--queue", action="append", metavar="QUEUE", help="instead of the type's own queues")
    return parser.parse_args(arguments)


def _body(options: argparse.Namespace) -> dict[str, Any]:
    if options.data is not None:
        text = options.data
    elif options.file == "-":
        text = sys.stdin.read()
    else:
        with open(options.file, encoding="utf-8") as file:
            text = file.read()
    body = json.loads(text)
    if not isinstance(body, dict):
        raise ValueError("the data is not a JSON object")
    return body


def _send(envelope: dict[str, Any], queues: Sequence[str]) -> int:
    from kombu.exceptions import OperationalError

    from shared.broker import make_celery

    broker_url = tool_environment().get("CELERY_BROKER_URL") or "redis://127.0.0.1:6379/0"
    app = make_celery(broker_url, "inject", tuple(queues))
    try:
        for queue in queues:
            app.send_task(envelope["type"], args=[envelope], queue=queue, exchange="", routing_key=queue)
    except (OperationalError, OSError) as error:
        sys.stderr.write(f"inject: the broker cannot be reached: {error}\n")
        return 1
    sys.stdout.write(f"{envelope['type']} {envelope['id']} is on {', '.join(queues)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
