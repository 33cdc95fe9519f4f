"""The pipeline, one function per task. Each may run again, be cleared, or run twice at once: it ends the same."""

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from strandline.cycle.context import Context, open_context
from strandline.cycle.runs import Summary, TaskRun, recorded

P = ParamSpec("P")


def _step(work: Callable[Concatenate[Context, TaskRun, P], Summary]) -> Callable[Concatenate[TaskRun, P], Summary]:
    """Give the work a context, and write the run down."""

    @wraps(work)
    def step(run: TaskRun, /, *args: P.args, **kwargs: P.kwargs) -> Summary:
        with open_context() as context, recorded(context, run) as summary:
            summary.update(work(context, run, *args, **kwargs))
        return summary

    return step


@_step
def observe_venues(context: Context, run: TaskRun) -> Summary:
    """Marks and cash of every venue."""
    from strandline.cycle.observe import observe

    return observe(context, run)


@_step
def roll_up_bars(context: Context, run: TaskRun) -> Summary:
    """Wait until the sidecar is past the cycle's end, then make bars of what is new."""
    from strandline.bars import roll_up, wait_for_watermark

    patience = timedelta(seconds=context.strategy.freshness.watermark_wait_seconds)
    waited = wait_for_watermark(context.database, run.cycle, patience, context.clock, time.sleep)
    return {"watermark": waited._asdict(), **roll_up(context.database, run.cycle)._asdict()}


@_step
def check_quality(context: Context, run: TaskRun) -> Summary:
    """Find bad data, by instrument."""
    from strandline.quality import check

    return check(context.database, context.strategy, run.cycle, context.clock())._asdict()


@_step
def run_engine(context: Context, run: TaskRun) -> Summary:
    """Step every series to the cycle's end."""
    from strandline.cycle.engine_step import run_engine as step_all

    return step_all(context.database, context.strategy, run.cycle)._asdict()


@_step
def plan_intents(context: Context, run: TaskRun) -> Summary:
    """Decide, once, and leave the decisions in the outbox."""
    from strandline.cycle.planning import plan_cycle

    return plan_cycle(context, run)


@_step
def choose_venues(context: Context, run: TaskRun) -> Summary:
    """The venues that have something to do."""
    from strandline.cycle.venues import choose

    return choose(context, run)


@_step
def execute_venue(context: Context, run: TaskRun, venue: str) -> Summary:
    """Recover what is in doubt, then carry out what was planned, at one venue."""
    from strandline.cycle.venues import execute

    return execute(context, run, venue)


@_step
def audit_strands(context: Context, run: TaskRun, said: Mapping[str, Mapping[str, Any]], failed: list[str]) -> Summary:
    """Hold the tasks' words against the tables."""
    from strandline.cycle.audit import audit

    return audit(context, run, said, failed)
