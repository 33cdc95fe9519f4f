"""Which run of which task this is, and one row per task run and re-run: what ran, when, and how it ended."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeAlias

import msgspec
from sqlalchemy import text

from strandline.cycle.context import Context
from strandline.cycle.cycle_time import cycle_of
from strandline.cycle.form import read_form
from strandline.model.venue import VenueKey

Summary: TypeAlias = dict[str, Any]
"""A step's own report: ids, hashes, counts. It goes to XCom, so it never holds a secret or a price path."""


@dataclass(frozen=True)
class TaskRun:
    """One run of one task, with the scheduler's names for it and the form's values."""

    cycle: datetime
    dag_id: str
    run_id: str
    run_type: str
    task_id: str
    try_number: int
    venues: tuple[VenueKey, ...] = ()
    symbols: tuple[str, ...] = ()
    plan_only: bool = False


class DagRun(Protocol):
    """The attributes of Airflow's run that matter here."""

    dag_id: str
    run_id: str
    data_interval_end: datetime | None
    run_after: datetime

    @property
    def run_type(self) -> "RunType": ...


class RunType(Protocol):
    """Airflow's kind of a run, whose value is text such as scheduled or manual."""

    @property
    def value(self) -> str: ...


class TaskInstance(Protocol):
    """The attributes of Airflow's task instance that matter here."""

    task_id: str
    try_number: int


def task_run(run: DagRun, task: TaskInstance, params: Mapping[str, Any]) -> TaskRun:
    """Derive the cycle, and take over what the form and Airflow say of this run."""
    form = read_form(params)
    return TaskRun(
        cycle=cycle_of(run.data_interval_end, run.run_after, form.as_of),
        dag_id=run.dag_id,
        run_id=run.run_id,
        run_type=run.run_type.value,
        task_id=task.task_id,
        try_number=task.try_number,
        venues=form.venues,
        symbols=form.symbols,
        plan_only=form.plan_only,
    )


@contextmanager
def recorded(context: Context, run: TaskRun) -> Iterator[Summary]:
    """Insert the run's row when it starts, and store the summary when it ends; a row without an end was killed."""
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
