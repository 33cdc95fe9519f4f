"""Loads history and checks it: that of a day, or what a person asks for. This file only wires; the library does."""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronDataIntervalTimetable, Param, chain, dag, get_current_context, task

from strandline.cycle import backfill_task
from strandline.cycle.backfill_form import FIELDS
from strandline.cycle.runs import Summary

# However many days are backfilled at once, the other workers are left to the live cycle.
# One result for each task, instead of one for each of its fields.
STEP: dict[str, Any] = {
    "retries": 2,
    "retry_delay": timedelta(minutes=1),
    "max_active_tis_per_dag": 1,
    "multiple_outputs": False,
}


@dag(
    dag_id="backfill_history",
    description=__doc__.partition(".")[0],
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(2023, 1, 1, tzinfo=UTC),
    catchup=False,
    is_paused_upon_creation=True,
    max_active_runs=16,
    default_args={"owner": "strandline", "weight_rule": "strandline_priority.LiveFirst"},
    tags=["history"],
    params={name: Param(**field) for name, field in FIELDS.items()},
)
def backfill_history() -> None:
    """The tasks and their order."""

    @task(execution_timeout=timedelta(hours=12), **STEP)
    def load_history() -> Summary:
        context = get_current_context()
        return backfill_task.load_history(context["dag_run"], context["params"])

    @task(execution_timeout=timedelta(hours=2), **STEP)
    def check_quality() -> Summary:
        return backfill_task.check_quality(get_current_context()["ti"].xcom_pull("load_history"))

    @task(execution_timeout=timedelta(minutes=30), **STEP)
    def run_engine() -> Summary:
        return backfill_task.run_engine()

    chain(load_history(), check_quality(), run_engine())


backfill_history()
