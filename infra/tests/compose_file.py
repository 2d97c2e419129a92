"""docker-compose.yml as its containers get it."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from infra.container.secrets import SERVICES_GROUP, USERS, shares
from infra.local.secret_store import make_all
from infra.tests.reading import ROOT

FILE = ROOT / "docker-compose.yml"
_VARIABLE = re.compile(r"\$\$|\$\{([A-Z0-9_]+):-([^}]*)\}")
_AUDIENCES = {str(user): audience for audience, user in USERS.items()}


def services() -> dict[str, Any]:
    """name -> its part of the file."""
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]


def operator_variables() -> dict[str, str]:
    """What an operator can set -> what it is when he does not."""
    return {name: default for name, default in _VARIABLE.findall(FILE.read_text(encoding="utf-8")) if name}


def environment(service: Mapping[str, Any], operator: Mapping[str, str]) -> dict[str, str]:
    """A container's variables, with what the operator has set and the secrets that its user may read."""
    user, _, group = service["user"].partition(":")
    given = {name: _fill(str(value), operator) for name, value in service.get("environment", {}).items()}
    secrets = shares(make_all(("S3_SECRET_KEY",)))
    readable = {
        **(secrets["services"] if group == str(SERVICES_GROUP) else {}),
        **secrets.get(_AUDIENCES.get(user, ""), {}),
    }
    return {**given, **{name: value for name, value in readable.items() if not given.get(name)}}


def _fill(text: str, operator: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        return "$" if match[0] == "$$" else operator.get(match[1]) or match[2]

    return _VARIABLE.sub(value, text)
