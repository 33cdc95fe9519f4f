"""Weighs tasks as Airflow does when it makes a run, and when a person clears one; no database."""

from datetime import timedelta
from typing import Any

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.sdk import timezone


def first_task_weights(dag: Any) -> dict[str, int | None]:
    """By kind of run: the weight of the first task."""
    return {
        "scheduled": _when_made(dag, "scheduled__now"),
        "triggered": _when_made(dag, "by-hand"),
        "scheduled, cleared at once": _when_cleared(dag, "scheduled__now", age=timedelta(minutes=1)),
        "triggered, cleared at once": _when_cleared(dag, "by-hand", age=timedelta(minutes=1)),
        "scheduled, cleared later": _when_cleared(dag, "scheduled__before", age=timedelta(minutes=7)),
        "triggered, cleared later": _when_cleared(dag, "by-hand", age=timedelta(minutes=7)),
    }


def _when_made(dag: Any, run_id: str) -> int | None:
    run = _run(dag, run_id, timedelta(0))
    values = TaskInstance.insert_mapping(run_id, dag.roots[0], map_index=-1, dag_version_id=None, dag_run=run)
    weight: int | None = values["priority_weight"]
    return weight


def _when_cleared(dag: Any, run_id: str, *, age: timedelta) -> int | None:
    cleared = TaskInstance(task=dag.roots[0], run_id=run_id, dag_version_id=None)
    cleared.dag_run = _run(dag, run_id, age)
    cleared.refresh_from_task(dag.roots[0], dag_run=cleared.dag_run)
    return cleared.priority_weight


def _run(dag: Any, run_id: str, age: timedelta) -> DagRun:
    return DagRun(dag_id=dag.dag_id, run_id=run_id, run_after=timezone.utcnow() - age)
