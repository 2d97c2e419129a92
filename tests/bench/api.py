"""The API's speed: reads beside a bare echo behind the same gateway, the gateway beside nginx, and orders.

All of it in one run on one machine, in interleaved rounds; 16 keep-alive clients.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack

from tests.bench.orders import orders
from tests.bench.reads import reads
from tests.bench.report import QUICK, Plan, Report, machine
from tests.bench.stage import own_system, staged
from tests.e2e.client import RunningSystem

PARTS = ("reads", "orders")


def main(arguments: Sequence[str]) -> int:
    """Measures and prints; 1 when a quota or an outbox was not kept (slow is no failure)."""
    parser = argparse.ArgumentParser(prog="scripts/bench api", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="shows in seconds that the bench works; no figures"
    )
    parser.add_argument(
        "--rounds", type=int, default=Plan.rounds, help="interleaved rounds (default %(default)s)"
    )
    parser.add_argument(
        "--seconds", type=float, default=Plan.seconds, help="of each round (default %(default)s)"
    )
    parser.add_argument("--only", choices=PARTS, help="measures this part only")
    chosen = parser.parse_args(arguments)
    plan = QUICK if chosen.quick else Plan(chosen.rounds, chosen.seconds)
    with own_system() as system:
        report = measure(system, plan, (chosen.only,) if chosen.only else PARTS)
    sys.stdout.write(report.text())
    return 0 if all(sale.kept for sale in report.sales) else 1


def measure(system: RunningSystem, plan: Plan, parts: Sequence[str] = PARTS) -> Report:
    """Runs these parts of the plan against a system that runs on this machine."""
    load_before = os.getloadavg()[0]
    with ExitStack() as stack:
        _, admin = system.new_user("admin")
        stack.callback(admin.close)
        stage = stack.enter_context(staged(system))
        read, notes = reads(stage, admin, plan) if "reads" in parts else ([], [])
        ordered, sales = orders(system, stage, admin, plan) if "orders" in parts else ([], [])
    return Report([*read, *ordered], sales, [*machine(plan, load_before), *notes])
