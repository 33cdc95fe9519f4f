"""Calls the body of each task with the library's steps replaced, and reports what it asked the library for."""

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, ClassVar

from msgspec import to_builtins

RUN = SimpleNamespace(
    dag_id="trading_cycle",
    run_id="a run",
    run_type=SimpleNamespace(value="manual"),
    data_interval_end=None,
    run_after=datetime(2026, 11, 21, 12, 0, tzinfo=UTC),
)
FORM = {
    "as_of": "2026-11-20T10:07:00Z",
    "venues": ["hyperliquid/perps"],
    "symbols": ["ETH"],
    "plan_only": True,
}
STATES = {"run_engine": "failed"}


class _Steps:
    """Answers every step with the same summary, and keeps the last call."""

    SUMMARY: ClassVar = {"trades": False, "tasks": ["execute__one"], "venues": ["one"]}
    last: tuple[str, tuple[Any, ...]]

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def step(*args: Any) -> Any:
            self.last = name, args
            return self.SUMMARY

        return step


def asked_by_bodies(tasks: list[Any]) -> dict[str, Any]:
    """By task: the step that its body called, the run that it passed, the other arguments, and what it returned."""
    return {task.task_id: _asked(task) for task in tasks}


def _asked(task: Any) -> dict[str, Any]:
    ti = SimpleNamespace(
        task_id=task.task_id, try_number=3, dag_id=RUN.dag_id, run_id=RUN.run_id, xcom_pull=lambda name: f"of {name}",
        get_task_states=lambda dag_id, run_ids: {run_ids[0]: {**STATES, "of": dag_id}},
    )  # fmt: skip
    steps = _Steps()
    names = task.python_callable.__globals__
    library = "steps" if "steps" in names else "backfill_task"
    kept = {name: names[name] for name in (library, "get_current_context") if name in names}
    names |= {library: steps, "get_current_context": lambda: {"dag_run": RUN, "ti": ti, "params": FORM}}
    try:
        returned = task.python_callable()
    finally:
        names |= kept
    step, arguments = steps.last
    run, *others = arguments or (None,)
    return {
        "step": step,
        "run": run.run_id
        if run is RUN
        else run
        if run is None or isinstance(run, str)
        else {**to_builtins(run), "venues": [str(venue) for venue in run.venues]},
        "others": [other("x") if callable(other) else other for other in others],
        "returned": returned,
    }
