"""Which environment variables a part of the program reads: from its source, and from watching it read."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
_ENVIRONMENTS = ("env", "environment", "environ", "process_environment")


class Watched(dict[str, str]):
    """An environment that notes what it is asked for."""

    def __init__(self, values: dict[str, str]) -> None:
        super().__init__(values)
        self.asked: set[str] = set()

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]  # as os.environ
        self.asked.add(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return super().__getitem__(name)


def variables_in(folder: Path) -> set[str]:
    """The names that the modules of a folder ask an environment for; its tests and what only tests use do
    not count.
    """
    modules = [path for path in folder.rglob("*.py") if not {"tests", "testing"} & set(path.parts)]
    return {name for path in modules for name in _asked(ast.parse(path.read_text(encoding="utf-8")))}


def _asked(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            parts = [*node.args, node.func.value] if isinstance(node.func, ast.Attribute) else node.args
            if any(_is_environment(part) for part in parts):
                yield from _names(node.args)
        elif isinstance(node, ast.Subscript) and _is_environment(node.value):
            yield from _names([node.slice])


def _names(parts: list[ast.expr]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value.isupper():
            yield part.value


def _is_environment(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        node = node.func
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return name in _ENVIRONMENTS
