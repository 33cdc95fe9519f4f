"""A real process that is killed with SIGKILL."""

import pickle
import signal
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.conftest import Database
from tests.execution import killed_driver
from tests.execution.execution_bench import ExecutionBench

PROCESSES = get_context("forkserver")
"""Imports the library once, and forks each process from there: from a server without threads and connections."""
PROCESSES.set_forkserver_preload([killed_driver.__name__])


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
    process = PROCESSES.Process(target=killed_driver.execute_until, args=(url, venue_file, point))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    venue = pickle.loads(venue_file.read_bytes())
    bench.venue, bench.clock = venue, venue.clock
    bench.check_always()
    bench.clock.move(seconds=1)
    bench.run()
    assert not bench.query("SELECT FROM unresolved_orders")
    bench.check_settled()
