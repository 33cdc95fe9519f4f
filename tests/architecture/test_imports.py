"""The import contracts hold, and each of them would notice."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """Run the real command on a tree."""
    code = (
        "import sys; sys.path[:0] = ['include', '.']; from importlinter.cli import lint_imports_command as run; run()"
    )
    return subprocess.run(
        [sys.executable, "-c", code, "--no-cache"], cwd=root, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the tree to plant faults in."""
    shutil.copytree(ROOT / "include", tmp_path / "include", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests" / "architecture", tmp_path / "tests" / "architecture")
    (tmp_path / "tests" / "__init__.py").touch()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_contracts_hold(copy: Path) -> None:
    result = lint_imports(copy)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("room", "statement", "named"),
    [
        ("engine", "import strandline.store", "strandline.store"),
        ("engine", "import logging", "logging"),
        ("engine", "import random", "random"),
        ("pm", "import os", "os"),
        ("pm", "import sqlalchemy", "sqlalchemy"),
        ("venues", "from strandline.settings import Settings", "strandline.settings"),
        ("bars", "import strandline.venues", "strandline.venues"),
        ("model", "from strandline import store", "strandline.store"),
        ("ledger", "import strandline.execution", "strandline.execution"),
        ("cycle", "import strandline_sim", "strandline_sim"),
        ("strandline_sim", "import strandline.venues", "strandline.venues"),
    ],
)
def test_a_planted_import_is_found(copy: Path, room: str, statement: str, named: str) -> None:
    module = room if room == "strandline_sim" else f"strandline.{room}"
    (copy / "include" / module.replace(".", "/") / "planted.py").write_text(statement + "\n")
    result = lint_imports(copy)
    assert result.returncode != 0
    assert f"{module}.planted imports {named}" in result.stdout.replace("\n", " ")


def test_airflow_is_found_in_every_room(copy: Path) -> None:
    rooms = sorted(path.parent for path in (copy / "include" / "strandline").glob("*/__init__.py"))
    for room in rooms:
        (room / "planted.py").write_text("def late():\n    import airflow.sdk\n")
    result = lint_imports(copy)
    assert result.returncode != 0
    missed = [room.name for room in rooms if f"strandline.{room.name}.planted -> airflow" not in result.stdout]
    assert len(rooms) >= 14
    assert missed == []


def test_a_room_that_the_table_does_not_know_is_found(copy: Path) -> None:
    (copy / "include" / "strandline" / "cellar").mkdir()
    (copy / "include" / "strandline" / "cellar" / "__init__.py").touch()
    assert "no room 'cellar'" in lint_imports(copy).stdout
