"""Every hour: the gate's newest results as pages to read. This file only wires; the library does."""

from datetime import UTC, datetime, timedelta

from airflow.sdk import CronDataIntervalTimetable, dag, task

from strandline.cycle import data_docs as steps
from strandline.cycle.runs import Summary


@dag(
    dag_id="data_docs",
    description=__doc__.partition(".")[0],
    # Between two cycles: at no multiple of five minutes.
    schedule=CronDataIntervalTimetable("3 * * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=15),
    allowed_run_types=["scheduled", "manual"],  # type: ignore[list-item]
    # The weight is below that of every task that trades.
    default_args={"owner": "strandline", "retries": 1, "retry_delay": timedelta(minutes=1), "weight_rule": "absolute"},
    tags=["data"],
)
def data_docs() -> None:
    """One task."""

    @task(execution_timeout=timedelta(minutes=5))
    def render_data_docs() -> Summary:
        return steps.render_data_docs()

    render_data_docs()


data_docs()
