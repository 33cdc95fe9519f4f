"""Every day: partitions for the days to come, old ticks into files. This file only wires; the library does."""

from datetime import UTC, datetime, timedelta

from airflow.sdk import CronDataIntervalTimetable, dag, task

from strandline.cycle import maintenance as steps
from strandline.cycle.runs import Summary


@dag(
    dag_id="maintenance",
    description=__doc__.partition(".")[0],
    # An interval, so that a machine that was off at this time does it when it is on again.
    schedule=CronDataIntervalTimetable("20 3 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    allowed_run_types=["scheduled", "manual"],  # type: ignore[list-item]
    # The weight is below that of every task that trades.
    default_args={"owner": "strandline", "retries": 2, "retry_delay": timedelta(minutes=5), "weight_rule": "absolute"},
    tags=["data"],
)
def maintenance() -> None:
    """The tasks, which do not wait for each other."""

    @task(execution_timeout=timedelta(minutes=5))
    def make_partitions() -> Summary:
        return steps.make_partitions()

    @task(execution_timeout=timedelta(hours=2))
    def archive_ticks() -> Summary:
        return steps.archive_ticks()

    make_partitions()
    archive_ticks()


maintenance()
