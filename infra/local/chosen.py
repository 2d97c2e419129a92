"""The environment a command-line tool works in: the shell's, `.env`, and what a running system chose."""

from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

from shared.settings import process_environment

DEFAULT_HOME = ".dicoevent"


def tool_environment() -> dict[str, str]:
    """Variables by precedence: the shell, `.env`, `$DICOEVENT_HOME/env` of the running system."""
    environment: dict[str, str] = {**_file(Path(".env")), **process_environment()}
    home = Path(environment.get("DICOEVENT_HOME") or DEFAULT_HOME)
    return {**_file(home / "env"), **environment}


def _file(path: Path) -> Mapping[str, str]:
    return {name: value for name, value in dotenv_values(path).items() if value is not None}
