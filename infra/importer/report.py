"""What was read, written and left out, and why."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Count:
    """Of one kind. `before` were brought over by an earlier run."""

    read: int = 0
    written: int = 0
    before: int = 0
    left_out: int = 0


@dataclass
class Report:
    """Kept while rows are moved; `say` is told how far it is."""

    say: Callable[[str], object]
    counts: dict[str, Count] = field(default_factory=dict)
    left_out: list[tuple[str, str, str]] = field(default_factory=list)
    notes: list[tuple[str, str, str]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def of(self, kind: str) -> Count:
        return self.counts.setdefault(kind, Count())

    def refuse(self, kind: str, id_: object, why: str) -> None:
        """A row is left out."""
        self.of(kind).left_out += 1
        self.left_out.append((kind, str(id_), why))

    def note(self, kind: str, id_: object, what: str) -> None:
        """A row is written, but not quite as it was."""
        self.notes.append((kind, str(id_), what))

    def lines(self) -> list[str]:
        """For people."""
        rows = [f"{'':14}{'read':>9}{'written':>9}{'before':>9}{'left out':>10}"]
        rows += [
            f"{kind:14}{count.read:>9}{count.written:>9}{count.before:>9}{count.left_out:>10}"
            for kind, count in self.counts.items()
        ]
        rows += [f"not found in the old database: {kind}" for kind in self.missing]
        rows += [f"changed: {kind} {id_}: {what}" for kind, id_, what in self.notes]
        rows += [f"left out: {kind} {id_}: {why}" for kind, id_, why in self.left_out]
        return rows
