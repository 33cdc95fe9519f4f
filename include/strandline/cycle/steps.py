"""The pipeline, one function per task. Each may run again, be cleared, or run twice at once: it ends the same."""

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from strandline.cycle.context import Context, open_context
from strandline.cycle.cycle_time import require_over
from strandline.cycle.runs import Summary, TaskRun, recorded
from strandline.store.timeouts import COMPUTING, TRADING, Timeouts

if TYPE_CHECKING:
    from strandline.quality import QualityResult

P = ParamSpec("P")
Work = Callable[Concatenate[Context, TaskRun, P], Summary]
Step = Callable[Concatenate[TaskRun, P], Summary]


def _step(timeouts: Timeouts) -> Callable[[Work[P]], Step[P]]:
    """Give the work a context, record the run, and refuse a cycle that is not over."""

    def decorate(work: Work[P]) -> Step[P]:
        @wraps(work)
        def step(run: TaskRun, /, *args: P.args, **kwargs: P.kwargs) -> Summary:
            with open_context(timeouts) as context, recorded(context, run) as summary:
                require_over(run.cycle, context.clock())
                summary.update(work(context, run, *args, **kwargs))
            return summary

        return step

    return decorate


@_step(COMPUTING)
def begin_cycle(context: Context, run: TaskRun) -> Summary:
    """Decide whether this run may trade (`trades`); a run that may not is recomputed here, and nothing follows."""
    from strandline.cycle.begin import begin

    return begin(context, run)


@_step(TRADING)
def observe_venues(context: Context, run: TaskRun) -> Summary:
    """Store marks and cash events of every venue."""
    from strandline.cycle.observe import observe

    return observe(context, run)


@_step(COMPUTING)
def roll_up_bars(context: Context, run: TaskRun) -> Summary:
    """Wait until the sidecar is past the cycle's end, then build the bars of what is new."""
    from strandline.bars import roll_up, wait_for_watermark

    longest_wait = timedelta(seconds=context.strategy.freshness.watermark_wait_seconds)
    waited = wait_for_watermark(context.database, run.cycle, longest_wait, context.clock, time.sleep)
    return {"watermark": waited._asdict(), **roll_up(context.database, run.cycle)._asdict()}


@_step(COMPUTING)
def check_quality(context: Context, run: TaskRun) -> Summary:
    """Find bad data, by instrument."""
    from strandline.quality import check

    return _checked(context, run, check(context.database, context.strategy, run.cycle, context.clock()))


@_step(COMPUTING)
def run_engine(context: Context, run: TaskRun) -> Summary:
    """Step every series to the cycle's end, those of the market too."""
    from strandline.cycle.engine_step import run_engine as step_all
    from strandline.cycle.regime_step import step_regime

    stepped = step_all(context.database, context.strategy, run.cycle)
    return {**stepped._asdict(), "regime": step_regime(context.database, context.strategy, run.cycle)._asdict()}


@_step(COMPUTING)
def check_signals(context: Context, run: TaskRun) -> Summary:
    """Find bad signals, by series, after the engine made them and before the planner reads them.

    A task of its own: when it fails or is killed, the planner sees that it has not run and buys nothing, the engine is
    not run again, and exits are planned all the same.
    """
    from strandline.quality import check_signals as check

    return _checked(context, run, check(context.database, context.strategy, run.cycle, context.clock()))


@_step(TRADING)
def plan_intents(context: Context, run: TaskRun) -> Summary:
    """Decide, once, and store the intents."""
    from strandline.cycle.planning import plan_cycle

    return plan_cycle(context, run)


@_step(TRADING)
def choose_venues(context: Context, run: TaskRun) -> Summary:
    """Name the venues that have something to do."""
    from strandline.cycle.venues import choose

    return choose(context, run)


@_step(TRADING)
def execute_venue(context: Context, run: TaskRun, venue: str) -> Summary:
    """Recover what is in doubt, then carry out what was planned, at one venue."""
    from strandline.cycle.venues import execute

    return execute(context, run, venue)


@_step(TRADING)
def audit_strands(
    context: Context, run: TaskRun, states: Mapping[str, str | None], report_of: Callable[[str], Mapping[str, Any]]
) -> Summary:
    """Compare the tasks' reports with the tables; fail if they differ, or if a task failed."""
    from strandline.cycle.audit import audit

    return audit(context, run, states, report_of)


def _checked(context: Context, run: TaskRun, result: "QualityResult") -> Summary:
    """What was found, and where its pages are once they are rendered."""
    from strandline.quality.pages import links

    return {**result._asdict(), "data_docs": links(context.settings.data_docs, run.cycle, result.runs)}
