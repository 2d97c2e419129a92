"""Each alert is valid, fires for what it is for, and stands in the operator's guide."""

import shutil
import subprocess
import warnings
from pathlib import Path

import pytest
import yaml

from infra.local.processes import PROGRAMS
from infra.local.prometheus import configuration
from tests.watching.names import ROOT, RULE_TESTS, RULES, expressions, metrics_of, rules

PROMTOOL = shutil.which("promtool")


def promtool(*arguments: str) -> None:
    if PROMTOOL is None:
        warnings.warn(
            "promtool is not installed (Debian: apt install prometheus): ALERTS NOT TESTED", stacklevel=2
        )
        pytest.skip("promtool is not installed: the alert rules were NOT tested")
    result = subprocess.run(
        [PROMTOOL, *arguments], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_rules_are_valid() -> None:
    promtool("check", "rules", str(RULES))


def test_the_configuration_is_valid_and_takes_the_rules() -> None:
    promtool("check", "config", str(RULES.with_name("prometheus.yml")))


def test_the_configuration_for_one_machine_is_valid_and_has_every_process(tmp_path: Path) -> None:
    chosen = {program.metrics_port: str(9101 + n) for n, program in enumerate(PROGRAMS)}
    file = tmp_path / "prometheus.yml"
    file.write_text(configuration(chosen))
    promtool("check", "config", str(file))
    jobs = yaml.safe_load(file.read_text())["scrape_configs"]
    composed = yaml.safe_load(RULES.with_name("prometheus.yml").read_text())["scrape_configs"]
    assert {job["job_name"] for job in jobs} == {job["job_name"] for job in composed}
    assert [job["static_configs"][0]["targets"] for job in jobs] == [
        [f"127.0.0.1:{chosen[program.metrics_port]}"] for program in PROGRAMS
    ]


def test_each_alert_fires_and_none_does_while_all_is_well() -> None:
    promtool("test", "rules", str(RULE_TESTS))


def test_for_each_alert_there_is_a_test_that_it_fires() -> None:
    groups = yaml.safe_load(RULE_TESTS.read_text(encoding="utf-8"))["tests"]
    shown = {
        sample["labels"]
        for group in groups
        for check in group["promql_expr_test"]
        for sample in check["exp_samples"]
    }
    assert shown == {f'{{alertname="{rule["alert"]}"}}' for rule in rules()}


@pytest.mark.parametrize("alert", [rule["alert"] for rule in rules()])
def test_the_operators_guide_says_what_an_alert_means_and_what_to_do(alert: str) -> None:
    guide = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    watching = guide.partition("\n## Watching\n")[2].partition("\n## ")[0]
    section = watching.partition(f"\n**{alert}**")[2].partition("\n**")[0]
    assert len(section.split()) > 15, f"{alert} is not explained"


def test_the_dashboard_and_the_rules_look_at_something() -> None:
    assert all(metrics_of(expression) or "up" in expression for expression in expressions())
