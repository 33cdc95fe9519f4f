"""What Airflow makes of the DAG files."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def dags(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Every DAG of the folder, as the dag-processor finds it, in an Airflow of its own that has no database."""
    home = tmp_path_factory.mktemp("airflow")
    environment = os.environ | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/never-made.db",
    }
    described = subprocess.run(
        [sys.executable, "-m", "tests.dags.describe", ROOT / "dags"],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert described.returncode == 0, described.stderr[-3000:]
    descriptions: dict[str, Any] = json.loads(described.stdout.splitlines()[-1])
    return descriptions
