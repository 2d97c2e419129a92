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

# What Prometheus itself puts on every sample.
OF_PROMETHEUS = {"job", "instance"}
_SELECTED = re.compile(r"\b((?:dicoevent|process)_[a-z_]+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"")
_GROUPED = re.compile(r"\bby\s*\(([^)]*)\)")
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


def labels_of(expression: str) -> dict[str, set[str]]:
    """Our metric -> the labels that an expression expects of it, by matching them or by grouping."""
    groups = {name.strip() for group in _GROUPED.findall(expression) for name in group.split(",")}
    found: dict[str, set[str]] = {}
    for metric, matchers in _SELECTED.findall(expression):
        found.setdefault(metric, set()).update(_MATCHER.findall(matchers), groups - {""})
    return {metric: labels - OF_PROMETHEUS for metric, labels in found.items()}
