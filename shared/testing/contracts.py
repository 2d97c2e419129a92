"""The example messages of tests/contracts."""

import json
from pathlib import Path
from typing import Any

from shared.messages import new_id

FOLDER = Path(__file__).parents[2] / "tests" / "contracts"


def example(message_type: str, **changes: Any) -> dict[str, Any]:
    """The example of a type with an id of its own; `changes` replace attributes of the envelope."""
    envelope = json.loads((FOLDER / f"{message_type}.json").read_text(encoding="utf-8"))
    return {**envelope, "id": new_id(), **changes}
