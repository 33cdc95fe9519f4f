"""A real process, really killed."""

import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Database
from tests.execution.book_room import BookRoom

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("point", ["written", "answered", "booking"])
def test_a_driver_killed_at_this_point_loses_and_doubles_nothing(
    room: BookRoom, database: Database, tmp_path: Path, point: str
) -> None:
    books = tmp_path / "venue"
    room.plan(0)
    room.plan(2)
    books.write_bytes(pickle.dumps(room.venue))
    url = database.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.execution.dying_driver", url, str(books), point]
    assert subprocess.run(command, cwd=ROOT, check=False, timeout=60).returncode == -signal.SIGKILL
    truth = pickle.loads(books.read_bytes())
    room.venue, room.clock = truth, truth.clock
    room.check_always()
    room.clock.move(seconds=1)
    room.run()
    assert not room.ask("SELECT FROM orders WHERE resolved_at IS NULL")
    room.check_settled()
