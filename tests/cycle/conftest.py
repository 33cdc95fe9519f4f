"""Fixtures of the tests of planning."""

from collections.abc import Iterator

import pytest

from tests.conftest import Database
from tests.cycle.planning_database import PlanningDatabase, planning_database


@pytest.fixture
def planning(database: Database) -> Iterator[PlanningDatabase]:
    """A database in which one row can be planned."""
    with planning_database(database) as opened:
        yield opened
