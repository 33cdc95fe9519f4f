"""Runs work that is done alone on one snapshot of the database, and again if it was overtaken."""

from collections.abc import Callable
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from strandline.model.errors import StrandlineError

ATTEMPTS: Final = 5
_OVERTAKEN: Final = frozenset({"40001", "40P01"})
"""SQLSTATE of a row that changed after the snapshot, and of a deadlock."""

R = TypeVar("R")


def in_planner_snapshot(database: Engine, work: Callable[[Connection], R]) -> R:
    """Do the work alone among planners."""
    return in_snapshot(database, "planner_state", work)


def in_snapshot(database: Engine, table: str, work: Callable[[Connection], R]) -> R:
    """Do the work in one REPEATABLE READ transaction, alone among the writers of the table; again, on new data, if it
    was overtaken.

    The lock comes first: LOCK TABLE takes no snapshot, so the snapshot is newer than the wait for the lock.
    """
    engine = database.execution_options(isolation_level="REPEATABLE READ")
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with engine.begin() as connection:
                connection.execute(text(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"))
                return work(connection)
        except DBAPIError as error:
            if getattr(error.orig, "pgcode", None) not in _OVERTAKEN:
                raise
            if attempt == ATTEMPTS:
                raise StrandlineError(
                    f"the step was overtaken {ATTEMPTS} times by changes of what it rests on ({error.orig})",
                    "nothing of it was stored; the task's retry or the next cycle does it again",
                ) from error
    raise AssertionError("unreachable: the last attempt returns or raises")
