"""No module imports itself by a detour: neither at run time nor for its types."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "include"
PACKAGES = ("strandline", "strandline_sim")


def modules(root: Path) -> dict[str, Path]:
    """Every module of both packages, by its dotted name."""
    files = [path for package in PACKAGES for path in (root / package).rglob("*.py")]
    return {".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path for path in files}


def statements(body: list[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports outside of functions, those under TYPE_CHECKING too."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for name in ("body", "orelse", "handlers", "finalbody"):
                yield from statements(getattr(node, name, []))


def imported(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules of ours that a file imports."""
    for statement in statements(ast.parse(path.read_text(encoding="utf-8")).body):
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names if alias.name in known)
        else:
            package = statement.module or ""
            for alias in statement.names:
                name = f"{package}.{alias.name}"
                yield from (one for one in (name if name in known else package,) if one in known)


def circle(root: Path) -> list[str]:
    """The modules of one circle; empty if there is none."""
    known = modules(root)
    assert known
    try:
        TopologicalSorter({name: set(imported(path, known)) for name, path in known.items()}).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_there_is_no_circle() -> None:
    assert circle(ROOT) == []


@pytest.mark.parametrize(
    "statement",
    [
        "from strandline import one",
        "import strandline.one",
        "from strandline.one import thing",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from strandline.one import thing",
        "class Holder:\n    from strandline.one import thing",
    ],
)
def test_a_planted_circle_is_found(tmp_path: Path, statement: str) -> None:
    package = tmp_path / "strandline"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "one.py").write_text("from strandline import two\n")
    (package / "two.py").write_text(f"{statement}\n")
    assert set(circle(tmp_path)) == {"strandline.one", "strandline.two"}
    (package / "two.py").write_text("def late():\n    from strandline import one\n")
    assert circle(tmp_path) == []
