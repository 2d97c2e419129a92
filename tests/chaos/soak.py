"""scripts/chaos [--minutes N] [--seed S]: the soak. Breaks one thing after the other, and then two at once,
in a whole system under load; after each it waits until all has recovered and compares everything.

Exit code 0 if nothing was lost, nothing came twice without an excuse, and everybody agreed with everybody.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from shared.logging import configure
from tests.chaos.faults import BY_NAME, FAULTS
from tests.chaos.plan import Round, rounds
from tests.chaos.stage import Stage, stage
from tests.chaos.verdict import Outcome, markdown
from tests.chaos.view import View

ORDERS_BEFORE = 60
# A system that does not get well any more says nothing new.
_FAILURES_AT_MOST = 5


def main(arguments: Sequence[str]) -> int:
    """Soaks; returns the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long (60)")
    parser.add_argument("--seed", type=int, default=None, help="of faults, times and load (a new one)")
    parser.add_argument("--list", action="store_true", help="only say what would be broken, and for how long")
    parser.add_argument(
        "--only", metavar="FAULT", action="append", choices=sorted(BY_NAME), help="only this fault"
    )
    wanted = parser.parse_args(arguments)
    seed = wanted.seed if wanted.seed is not None else random.SystemRandom().randrange(10**6)
    plan = rounds(seed, tuple(BY_NAME[name] for name in wanted.only) if wanted.only else FAULTS)
    if wanted.list:
        for each in islice(plan, 2 * len(FAULTS)):
            sys.stdout.write(f"{each.number:4}  {each.seconds:5.1f} s  {each.name}\n")
        return 0
    configure("chaos", "ERROR")
    # As Ctrl-C, also in the background: the system is stopped, and what was seen until then is told.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    return soak(wanted.minutes * 60, seed, plan)


def soak(seconds: float, seed: int, plan: Iterator[Round]) -> int:
    """Rounds of `plan` for so long; what a failed one left behind is kept."""
    home = Path(tempfile.mkdtemp(prefix="dicoevent-soak-"))
    home.chmod(0o755)
    outcomes: list[Outcome] = []
    sys.stdout.write(f"seed {seed}; the system is in {home}\n")
    sys.stdout.flush()
    with stage(home / "home", seed) as it:
        view = View(lambda: _now(it), outcomes)
        it.tick = view.tick
        with view:
            try:
                _play(it, view, outcomes, plan, seconds)
            except KeyboardInterrupt:
                view.say("interrupted")
        mails = it.judge.received
        refused, repeated = it.book.refused, it.book.repeated
        counts = f"{len(it.book.tickets)} orders, {len(it.book.events)} events, {len(it.book.people)} people"
    right = all(outcome.right for outcome in outcomes)
    sys.stdout.write(f"\n{markdown(outcomes)}\n{_sums(outcomes, mails)}, {counts}\n")
    sys.stdout.write(f"{repeated} operations had to be asked again, {refused} were refused\n")
    for outcome in outcomes:
        for problem in (*outcome.lost, *outcome.wrong)[:20]:
            sys.stdout.write(f"  {' + '.join(outcome.faults)}: {problem}\n")
    sys.stdout.write(f"seed {seed}: {'RIGHT' if right else f'WRONG; everything is kept in {home}'}\n")
    if right:
        shutil.rmtree(home, ignore_errors=True)
    return 0 if right else 1


def _play(it: Stage, view: View, outcomes: list[Outcome], plan: Iterator[Round], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    it.warm_up(ORDERS_BEFORE)
    for wanted in plan:
        if (outcomes and time.monotonic() > deadline) or sum(
            not outcome.right for outcome in outcomes
        ) >= _FAILURES_AT_MOST:
            break
        outcome = it.play(wanted)
        outcomes.append(outcome)
        view.say(f"{wanted.number:4} {_line(wanted, outcome)}")
        for problem in (*outcome.lost, *outcome.wrong)[:5]:
            view.say(f"     {problem}")


def _line(wanted: Round, outcome: Outcome) -> str:
    recovered = "NOT RECOVERED" if outcome.recovered is None else f"recovered in {outcome.recovered:.1f} s"
    notes = f" ({'; '.join(outcome.notes)})" if outcome.notes else ""
    doubled = f", {outcome.doubled} twice" if outcome.doubled else ""
    return (
        f"{'right' if outcome.right else 'WRONG'}  {wanted.name}{notes} for {wanted.seconds} s: {recovered},"
        f" {outcome.operations} operations, {outcome.mails} mails{doubled}"
    )


def _now(it: Stage) -> str:
    load = os.getloadavg()[0]
    return f"{it.doing}; {it.book.operations} operations, {it.mailroom.count} mails, load {load:.1f}"


def _sums(outcomes: Sequence[Outcome], mails: int) -> str:
    operations = sum(outcome.operations for outcome in outcomes)
    return f"{len(outcomes)} rounds, {operations} operations, {mails} different mails"
