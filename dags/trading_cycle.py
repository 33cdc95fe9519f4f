"""Every five minutes: observe, roll up, check, step, plan, execute, audit. This file only wires; the library does."""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronDataIntervalTimetable, Param, TriggerRule, chain, dag, get_current_context, task

from strandline.cycle import steps
from strandline.cycle.audit import EXECUTE
from strandline.cycle.form import FIELDS
from strandline.cycle.runs import Summary, TaskRun, task_run
from strandline.venues.factory import ExecutorFactory

# Exits must remain possible when data or checks fail, so a step follows a failed one; the planner refuses entries then.
STEP: dict[str, Any] = {
    "retries": 2,
    "execution_timeout": timedelta(seconds=60),
    "trigger_rule": TriggerRule.ALL_DONE,
}
TRADING: dict[str, Any] = {"retries": 1, "execution_timeout": timedelta(seconds=120)}
# Cleared runs begin two at a time and leave the other workers to the live one.
FIRST: dict[str, Any] = {"retries": 2, "execution_timeout": timedelta(seconds=60), "max_active_tis_per_dag": 2}


def this_run() -> TaskRun:
    context = get_current_context()
    return task_run(context["dag_run"], context["ti"], context["params"])


def execute(slug: str) -> Any:  # noqa: ANN401  a task of Airflow's
    @task(task_id=f"{EXECUTE}{slug}", pool=slug, queue=slug, **TRADING)
    def execute_venue() -> Summary:
        return steps.execute_venue(this_run(), slug)

    return execute_venue()


@dag(
    dag_id="trading_cycle",
    description=__doc__.partition(".")[0],
    schedule=CronDataIntervalTimetable("*/5 * * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    # No limit: cleared runs count too, and Airflow makes no new run while there are as many. The database decides
    # who may plan and trade.
    max_active_runs=10_000,
    # Ends what is frozen. The next cycle does not wait for it: each venue's pool has a slot for a second one.
    dagrun_timeout=timedelta(minutes=30),
    allowed_run_types=["scheduled", "manual"],  # type: ignore[list-item]
    default_args={
        "owner": "strandline",
        "retry_delay": timedelta(seconds=5),
        "weight_rule": "strandline_priority.LiveFirst",
    },
    tags=["trading"],
    params={name: Param(**field) for name, field in FIELDS.items()},
)
def trading_cycle() -> None:
    """The tasks and their order."""

    @task.short_circuit(**FIRST)
    def begin_cycle() -> bool:
        return bool(steps.begin_cycle(this_run())["trades"])

    @task(**STEP)
    def observe_venues() -> Summary:
        return steps.observe_venues(this_run())

    @task(**STEP)
    def roll_up_bars() -> Summary:
        return steps.roll_up_bars(this_run())

    @task(**STEP)
    def check_quality() -> Summary:
        return steps.check_quality(this_run())

    @task(**STEP)
    def run_engine() -> Summary:
        return steps.run_engine(this_run())

    @task(**STEP)
    def check_signals() -> Summary:
        return steps.check_signals(this_run())

    @task(**STEP)
    def plan_intents() -> Summary:
        return steps.plan_intents(this_run())

    @task.branch(**STEP)
    def choose_venues() -> list[str]:
        return list(steps.choose_venues(this_run())["tasks"])

    @task(**STEP)
    def audit_strands() -> Summary:
        ti = get_current_context()["ti"]
        states = ti.get_task_states(ti.dag_id, run_ids=[ti.run_id])[ti.run_id]
        return steps.audit_strands(this_run(), states, ti.xcom_pull)

    chain(
        begin_cycle(),
        [observe_venues(), roll_up_bars()],
        check_quality(),
        run_engine(),
        check_signals(),
        plan_intents(),
        choose_venues(),
        [execute(venue.slug) for venue in ExecutorFactory.venues()],
        audit_strands(),
    )


trading_cycle()
