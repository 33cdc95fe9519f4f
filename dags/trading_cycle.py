"""Every five minutes: look, roll up, check, step, plan, execute, audit. This file only wires; the library does."""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronDataIntervalTimetable, Param, TriggerRule, chain, dag, get_current_context, task

from strandline.cycle import steps
from strandline.cycle.cycle_time import cycle_of
from strandline.cycle.runs import Summary, TaskRun
from strandline.venues.factory import ExecutorFactory

QUICK: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(seconds=5), "execution_timeout": timedelta(seconds=60)}
TRADING: dict[str, Any] = {
    "retries": 1,
    "retry_delay": timedelta(seconds=5),
    "execution_timeout": timedelta(seconds=120),
}
EVEN_AFTER_FAILURES: dict[str, Any] = {**QUICK, "trigger_rule": TriggerRule.ALL_DONE}
"""Exits must remain possible when data or checks fail; the planner itself refuses entries then."""

EXECUTE = "execute__{}"


def this_run() -> TaskRun:
    """What Airflow knows of this run of this task."""
    context = get_current_context()
    run, ti, params = context["dag_run"], context["ti"], context["params"]
    as_of = params["as_of"]
    return TaskRun(
        cycle=cycle_of(
            run.data_interval_end, run.run_after, datetime.fromisoformat(as_of).astimezone(UTC) if as_of else None
        ),
        dag_id=run.dag_id,
        run_id=run.run_id,
        run_type=run.run_type.value,
        task_id=ti.task_id,
        try_number=ti.try_number,
        venues=tuple(params["venues"] or ()),
        symbols=tuple(params["symbols"] or ()),
        plan_only=params["plan_only"],
    )


@dag(
    dag_id="trading_cycle",
    description=__doc__.partition(".")[0],
    schedule=CronDataIntervalTimetable("*/5 * * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    allowed_run_types=["scheduled", "manual"],  # type: ignore[list-item]
    default_args={"owner": "strandline"},
    tags=["trading"],
    params={
        "as_of": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="As of",
            description="The cycle that ended last before this instant; empty: the last complete five minutes.",
        ),
        "venues": Param(
            None,
            type=["null", "array"],
            items={"type": "string"},
            title="Venues",
            description="Execute only these, such as hyperliquid/perps; empty: all.",
        ),
        "symbols": Param(
            None,
            type=["null", "array"],
            items={"type": "string"},
            title="Symbols",
            description="Let only these enter, such as ETH; exits are planned for all rows. Empty: all.",
        ),
        "plan_only": Param(
            False,
            type="boolean",
            title="Plan only",
            description="Show what would be decided; nothing is stored or executed.",
        ),
    },
)
def trading_cycle() -> None:
    """The tasks and their order."""

    @task(**QUICK)
    def observe_venues() -> Summary:
        return steps.observe_venues(this_run())

    @task(**QUICK)
    def roll_up_bars() -> Summary:
        return steps.roll_up_bars(this_run())

    @task(**EVEN_AFTER_FAILURES)
    def check_quality() -> Summary:
        return steps.check_quality(this_run())

    @task(**EVEN_AFTER_FAILURES)
    def run_engine() -> Summary:
        return steps.run_engine(this_run())

    @task(**EVEN_AFTER_FAILURES)
    def plan_intents() -> Summary:
        return steps.plan_intents(this_run())

    @task.branch(**EVEN_AFTER_FAILURES)
    def choose_venues() -> list[str]:
        return [EXECUTE.format(slug) for slug in steps.choose_venues(this_run())["venues"]]

    def execute(slug: str) -> Any:  # noqa: ANN401  a task of Airflow's
        @task(task_id=EXECUTE.format(slug), pool=slug, queue=slug, **TRADING)
        def execute_venue() -> Summary:
            return steps.execute_venue(this_run(), slug)

        return execute_venue()

    @task(**EVEN_AFTER_FAILURES)
    def audit_strands() -> Summary:
        context = get_current_context()
        ti = context["ti"]
        states = ti.get_task_states(ti.dag_id, run_ids=[ti.run_id])[ti.run_id]
        executed = [name for name, state in states.items() if name.startswith("execute__") and state == "success"]
        failed = [name for name, state in states.items() if state in {"failed", "upstream_failed"}]
        said = {end["chain"]: end for end in map(ti.xcom_pull, executed)}
        return steps.audit_strands(this_run(), said, failed)

    chain(
        [observe_venues(), roll_up_bars()],
        check_quality(),
        run_engine(),
        plan_intents(),
        choose_venues(),
        [execute(venue.slug) for venue in ExecutorFactory.venues()],
        audit_strands(),
    )


trading_cycle()
