"""Loads history: that of a day, or what a person asks for. This file only wires; the library does."""

from datetime import UTC, datetime, timedelta

from airflow.sdk import CronDataIntervalTimetable, Param, dag, get_current_context, task

from strandline.cycle import backfill_task
from strandline.cycle.backfill_form import FIELDS
from strandline.cycle.runs import Summary


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
    """One task."""

    # However many days are backfilled at once, the other workers are left to the live cycle.
    @task(
        retries=2,
        retry_delay=timedelta(minutes=1),
        execution_timeout=timedelta(hours=12),
        max_active_tis_per_dag=1,
    )
    def load_history() -> Summary:
        context = get_current_context()
        return backfill_task.load_history(context["dag_run"], context["params"])

    load_history()


backfill_history()
