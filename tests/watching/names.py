"""Which metrics a PromQL expression, the rules and the dashboard name."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
RULES = ROOT / "infra" / "prometheus" / "rules.yml"
RULE_TESTS = ROOT / "infra" / "prometheus" / "rules_test.yml"
DASHBOARD = ROOT / "infra" / "grafana" / "dashboard.json"

_METRIC = re.compile(r"\b(?:dicoevent|process)_[a-z_]+")


def rules() -> list[dict]:
    """The alerts of rules.yml."""
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> Iterator[str]:
    """Every PromQL expression of the rules and the dashboard."""
    yield from (rule["expr"] for rule in rules())
    for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))


def metrics_of(expression: str) -> set[str]:
    """The names of our metrics, and of the client library's, in an expression."""
    return set(_METRIC.findall(expression))
