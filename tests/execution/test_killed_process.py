"""A real process that is killed with SIGKILL."""

import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Database
from tests.execution.execution_bench import ExecutionBench

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("point", ["written", "answered", "booking"])
def test_a_driver_killed_at_this_point_loses_nothing_and_sends_nothing_twice(
    bench: ExecutionBench, database: Database, tmp_path: Path, point: str
) -> None:
    venue_file = tmp_path / "venue"
    bench.plan(0)
    bench.plan(2)
    venue_file.write_bytes(pickle.dumps(bench.venue))
    url = database.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.execution.killed_driver", url, str(venue_file), point]
    assert subprocess.run(command, cwd=ROOT, check=False, timeout=60).returncode == -signal.SIGKILL
    venue = pickle.loads(venue_file.read_bytes())
    bench.venue, bench.clock = venue, venue.clock
    bench.check_always()
    bench.clock.move(seconds=1)
    bench.run()
    assert not bench.ask("SELECT FROM unresolved_orders")
    bench.check_settled()
