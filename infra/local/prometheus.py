"""A configuration of Prometheus for the processes of one machine, which have the ports that were free."""

from collections.abc import Mapping
from pathlib import Path

from infra.local.processes import PROGRAMS

RULES = Path(__file__).parents[1] / "prometheus" / "rules.yml"


def configuration(chosen: Mapping[str, str]) -> str:
    """What `prometheus --config.file` takes: each process as a job of its name, and our alerts."""
    jobs = "".join(
        f"  - job_name: {program.name}\n"
        f'    static_configs: [{{targets: ["127.0.0.1:{chosen[program.metrics_port]}"]}}]\n'
        for program in PROGRAMS
    )
    return (
        "# Written at each start of scripts/up.\n"
        "global: {scrape_interval: 15s, scrape_timeout: 5s, evaluation_interval: 15s}\n"
        f'rule_files: ["{RULES}"]\nscrape_configs:\n{jobs}'
    )
