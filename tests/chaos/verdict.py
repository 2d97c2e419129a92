"""What the rounds came to: a table for people and for docs/reliability.md, and whether all was right."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass
class Outcome:
    """One round. `lost` and `wrong` say what; `recovered` is in seconds from the end of the fault."""

    faults: tuple[str, ...]
    operations: int = 0
    mails: int = 0
    recovered: float | None = None
    doubled: int = 0
    excuses: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def unexcused(self) -> int:
        """How many mails came twice beyond what nobody can know."""
        return max(0, self.doubled - sum(self.excuses.values()))

    @property
    def right(self) -> bool:
        return not (self.lost or self.wrong or self.unexcused or self.recovered is None)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table; times in seconds."""

    name: str
    alone: int
    paired: int
    operations: int
    lost: int
    excused: int
    unexcused: int
    median: float | None
    longest: float | None
    wrong: int

    def cells(self) -> list[str]:
        """As text, in the order of HEADINGS."""
        return [
            self.name,
            str(self.alone),
            str(self.paired),
            str(self.operations),
            str(self.lost),
            str(self.excused),
            str(self.unexcused),
            str(self.wrong),
            "-" if self.median is None else f"{self.median:.1f}",
            "-" if self.longest is None else f"{self.longest:.1f}",
        ]


HEADINGS = (
    "fault",
    "alone",
    "in pairs",
    "operations",
    "lost",
    "twice, excused",
    "twice, not excused",
    "otherwise wrong",
    "recovered in s, median",
    "longest",
)


def lines_of(outcomes: Sequence[Outcome]) -> list[Line]:
    """A line for each fault alone, one for all pairs, and the sum; a fault only in pairs has a line too."""
    names = list(dict.fromkeys(name for outcome in outcomes for name in outcome.faults))
    paired = [outcome for outcome in outcomes if len(outcome.faults) > 1]
    lines = []
    for name in sorted(names):
        alone = [outcome for outcome in outcomes if outcome.faults == (name,)]
        lines.append(_line(name, alone, len(alone), sum(name in outcome.faults for outcome in paired)))
    lines.append(_line("pairs", paired, 0, len(paired)))
    lines.append(_line("all", outcomes, len(outcomes) - len(paired), len(paired)))
    return lines


def _line(name: str, outcomes: Sequence[Outcome], alone: int, paired: int) -> Line:
    times = [outcome.recovered for outcome in outcomes if outcome.recovered is not None]
    unexcused = sum(outcome.unexcused for outcome in outcomes)
    return Line(
        name=name,
        alone=alone,
        paired=paired,
        operations=sum(outcome.operations for outcome in outcomes),
        lost=sum(len(outcome.lost) for outcome in outcomes),
        excused=sum(outcome.doubled for outcome in outcomes) - unexcused,
        unexcused=unexcused,
        median=median(times) if times else None,
        longest=max(times, default=None),
        wrong=sum(len(outcome.wrong) for outcome in outcomes),
    )


def markdown(outcomes: Sequence[Outcome]) -> str:
    """The table as docs/reliability.md has it."""
    rows = [
        HEADINGS,
        ["---"] + ["---:"] * (len(HEADINGS) - 1),
        *(line.cells() for line in lines_of(outcomes)),
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
