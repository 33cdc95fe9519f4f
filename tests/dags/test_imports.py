"""Airflow reads every DAG file again and again: that must not load what only the tasks need."""

import subprocess
import sys
from pathlib import Path

import pytest

DAGS = Path(__file__).parents[2] / "dags"
HEAVY = {"great_expectations", "numba", "numpy", "pandas", "pyarrow"}


@pytest.mark.parametrize("name", sorted(file.stem for file in DAGS.glob("*.py")))
def test_reading_a_dag_loads_nothing_heavy(name: str, tmp_path: Path) -> None:
    code = f"import sys; sys.path.insert(0, {str(DAGS)!r}); import {name}; print(*sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={"AIRFLOW_HOME": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    loaded = set(ended.stdout.split())
    assert name in loaded
    assert not HEAVY & loaded
