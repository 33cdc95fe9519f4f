"""A process that drives a venue and kills itself at a point that it is given: `python -m … URL BOOKS POINT`."""

import os
import pickle
import signal
import sys
from datetime import timedelta
from pathlib import Path

from sqlalchemy import make_url

from strandline.execution import execute_venue
from strandline.model.order import SignedOrder
from strandline.model.result import ExecutionResult
from strandline.store.connect import connect
from strandline.store.roles import Role
from tests.execution.book_room import CODE
from tests.execution.fake_venue import FakeExecutor


class Remembered(FakeExecutor):
    """What the venue accepted outlives this process."""

    books: Path

    def execute(self, order: SignedOrder) -> ExecutionResult:
        """And keep the truth."""
        told = super().execute(order)
        self.books.write_bytes(pickle.dumps(self.truth))
        return told


def main(url: str, books: Path, point: str) -> None:
    """Until the point is reached."""

    def fault(name: str) -> None:
        if name == point:
            os.kill(os.getpid(), signal.SIGKILL)

    venue = pickle.loads(books.read_bytes())
    executor = Remembered(venue)
    executor.books = books
    execute_venue(
        connect(make_url(url), Role.APP),
        executor,
        clock=venue.clock,
        deadline=venue.clock() + timedelta(seconds=100),
        code_version=CODE,
        faults=fault,
    )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
