"""One row per task run and re-run, so that one can see afterwards what ran, when, and how it ended."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import msgspec
from sqlalchemy import text

from strandline.cycle.context import Context

Summary: TypeAlias = dict[str, Any]
"""What a step says of itself: ids, hashes, counts. It goes to XCom, so it never holds a secret or a price path."""


@dataclass(frozen=True)
class TaskRun:
    """Which run of which task this is, in the words of whoever schedules it, and what a person asked of it."""

    cycle: datetime
    dag_id: str
    run_id: str
    run_type: str
    task_id: str
    try_number: int
    venues: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    plan_only: bool = False


@contextmanager
def recorded(context: Context, run: TaskRun) -> Iterator[Summary]:
    """Write the run down when it starts, and what the block put into the summary when it ends.

    A run without an end was killed.
    """
    with context.database.begin() as connection:
        run_no = connection.scalar(
            text("""
            INSERT INTO runs (cycle_t, dag_id, run_id, run_type, task_id, try_number, started_at)
            VALUES (:cycle, :dag_id, :run_id, :run_type, :task_id, :try_number, :now) RETURNING run_no
            """),
            {
                "cycle": run.cycle,
                "dag_id": run.dag_id,
                "run_id": run.run_id,
                "run_type": run.run_type,
                "task_id": run.task_id,
                "try_number": run.try_number,
                "now": context.clock(),
            },
        )
    summary: Summary = {}
    try:
        yield summary
    except Exception as error:
        _end(context, run_no, {**summary, "error": f"{type(error).__name__}: {error}"}, succeeded=False)
        raise
    _end(context, run_no, summary, succeeded=True)


def _end(context: Context, run_no: int | None, summary: Mapping[str, Any], *, succeeded: bool) -> None:
    with context.database.begin() as connection:
        connection.execute(
            text("UPDATE runs SET ended_at = :now, succeeded = :succeeded, summary = :summary WHERE run_no = :run_no"),
            {
                "run_no": run_no,
                "now": context.clock(),
                "succeeded": succeeded,
                "summary": msgspec.json.encode(summary).decode(),
            },
        )
