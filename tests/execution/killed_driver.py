"""What a process runs that executes a venue and kills itself at a checkpoint."""

import os
import pickle
import signal
from datetime import timedelta
from pathlib import Path

from sqlalchemy import make_url

from strandline.execution import execute_venue
from strandline.model.order import SignedOrder
from strandline.model.result import ExecutionResult
from strandline.store.connect import connect
from strandline.store.roles import Role
from tests.execution.execution_bench import CODE
from tests.execution.scripted_venue import ScriptedExecutor


class StoringExecutor(ScriptedExecutor):
    """Stores the venue's state after each order, so that it outlives this process."""

    venue_file: Path

    def execute(self, order: SignedOrder) -> ExecutionResult:
        """Execute the order and store the venue's state."""
        reported = super().execute(order)
        self.venue_file.write_bytes(pickle.dumps(self.venue_state))
        return reported


def execute_until(url: str, venue_file: Path, point: str) -> None:
    """Execute the venue, and kill this process at the checkpoint."""

    def kill_at(name: str) -> None:
        if name == point:
            os.kill(os.getpid(), signal.SIGKILL)

    venue = pickle.loads(venue_file.read_bytes())
    executor = StoringExecutor(venue)
    executor.venue_file = venue_file
    execute_venue(
        connect(make_url(url), Role.APP),
        executor,
        clock=venue.clock,
        deadline=venue.clock() + timedelta(seconds=100),
        code_version=CODE,
        checkpoint=kill_at,
    )
