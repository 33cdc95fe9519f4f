"""The simulator runs without the rest of Strandline, and changes independently of it."""

import ast
import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

INCLUDE = Path(__file__).parents[2] / "include"
FOREIGN = ("airflow", "sqlalchemy", "psycopg2", "strandline.cli", "strandline.settings", "strandline.store")


def python(*arguments: str, include: Path = INCLUDE) -> str:
    """Run Python with the packages of this folder; return its output."""
    ended = subprocess.run(
        [sys.executable, *arguments],
        env={"PYTHONPATH": str(include)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return ended.stdout


def test_it_starts_without_the_rest_of_strandline() -> None:
    assert "Simulate Hyperliquid, Solana and Jupiter" in python("-m", "strandline_sim", "--help")
    code = "import sys, strandline_sim.world, strandline_sim.command, strandline_sim.__main__; print(*sys.modules)"
    loaded = python("-c", code).split()
    assert "strandline_sim.solana.venue" in loaded
    assert [name for name in loaded if name.startswith(FOREIGN)] == []


def test_the_packages_that_the_page_names_are_those_it_needs() -> None:
    page = (INCLUDE.parent / "docs" / "simulated-venues.md").read_text()
    listed = re.search(r"`include` on `PYTHONPATH`, and the\s+packages (.*?) installed", page, re.DOTALL)
    assert listed is not None
    files = [path for room in ("strandline_sim", "strandline/model") for path in (INCLUDE / room).rglob("*.py")]
    nodes = [node for path in files for node in ast.walk(ast.parse(path.read_text()))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    imported = {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"strandline", "strandline_sim"}
    distributions = packages_distributions()
    installed = {distributions[name][0].replace("_", "-").lower() for name in imported}
    assert installed - {"eth-utils"} == set(re.findall(r"`([^`]+)`", listed[1]))  # eth-account brings it


def test_a_known_error_is_one_line() -> None:
    with pytest.raises(subprocess.CalledProcessError) as ended:
        python("-m", "strandline_sim", "--symbols", "ABC")
    assert (ended.value.returncode, ended.value.stderr.count("\n")) == (2, 1)
    assert ended.value.stderr.startswith("strandline_sim: --symbols: ABC not known")


def test_the_code_version_of_decisions_does_not_depend_on_the_simulator(tmp_path: Path) -> None:
    include = tmp_path / "include"
    shutil.copytree(INCLUDE, include, ignore=shutil.ignore_patterns("__pycache__"))

    def version() -> str:
        return python("-c", "from strandline.cycle.version import code_version; print(code_version())", include=include)

    first = version()
    (include / "strandline_sim" / "clock.py").write_text("CHANGED = True\n")
    assert version() == first
    (include / "strandline" / "pm" / "changed.py").write_text("CHANGED = True\n")
    assert version() != first
