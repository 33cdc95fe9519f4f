"""The first step: decides whether this run may trade, and reports what the runs before it left undone."""

import logging
from typing import Final

from sqlalchemy import Connection, text

from strandline.cycle.context import Context
from strandline.cycle.cycle_time import CYCLE_LENGTH
from strandline.cycle.overtaken import run_overtaken
from strandline.cycle.runs import Summary, TaskRun

_log = logging.getLogger(__name__)

_UP_TO_DATE: Final = text("""
    SELECT EXISTS (SELECT FROM cycles WHERE cycle_t = :cycle)
       AND EXISTS (SELECT FROM quality_runs WHERE cycle_t = :cycle AND suite = 'bars')
       AND NOT EXISTS (SELECT FROM dirty_minutes WHERE minute < :cycle)
""")


def begin(context: Context, run: TaskRun) -> Summary:
    """Let a run that may trade go on, and name what was missed before it; end any other run here.

    All that an overtaken run may do is to bring bars, checks and signals up to date. One task does it instead of nine,
    and only if something came in since it was done, so that clearing many old runs leaves the workers to the live one.
    """
    reason = run_overtaken(context, run)
    if reason is not None:
        return {"trades": False, "outcome": reason, **_recompute(context, run)}
    with context.database.connect() as connection:
        missed, unfinished = _missed_boundaries(connection, run), _unfinished_tasks(connection, run)
    if missed:
        _log.warning("nobody planned the %(count)s cycles from %(first)s to %(last)s", missed)
    if unfinished:
        _log.warning("these tasks have not ended, or were killed: %s", ", ".join(unfinished))
    return {"trades": True, "missed": missed, "unfinished": unfinished}


def _recompute(context: Context, run: TaskRun) -> Summary:
    with context.database.connect() as connection:
        up_to_date = connection.scalar(_UP_TO_DATE, {"cycle": run.cycle})
    if up_to_date:
        return {"recomputed": False}
    from strandline.bars import roll_up
    from strandline.cycle.engine_step import run_engine
    from strandline.cycle.planning import plan_cycle
    from strandline.cycle.regime_step import step_regime
    from strandline.quality import check, check_signals

    bars = roll_up(context.database, run.cycle)
    quality = check(context.database, context.strategy, run.cycle, context.clock())
    signals = run_engine(context.database, context.strategy, run.cycle)
    regime = step_regime(context.database, context.strategy, run.cycle)
    checked = check_signals(context.database, context.strategy, run.cycle, context.clock())
    # It plans nothing either: it stores the reason as the cycle's outcome.
    plan_cycle(context, run)
    return {
        "recomputed": True,
        "roll_up": bars._asdict(),
        "check": quality._asdict(),
        "engine": signals._asdict(),
        "regime": regime._asdict(),
        "check_signals": checked._asdict(),
    }


def _missed_boundaries(connection: Connection, run: TaskRun) -> Summary:
    """The cycles between the last planned one and this one; empty if there are none, or nothing was planned yet."""
    last = connection.scalar(
        text("SELECT max(cycle_t) FROM cycles WHERE cycle_t < :cycle AND outcome = 'planned'"), {"cycle": run.cycle}
    )
    count = (run.cycle - last) // CYCLE_LENGTH - 1 if last else 0
    if not last or not count:
        return {}
    return {
        "count": count,
        "first": (last + CYCLE_LENGTH).isoformat(),
        "last": (run.cycle - CYCLE_LENGTH).isoformat(),
    }


def _unfinished_tasks(connection: Connection, run: TaskRun) -> list[str]:
    """Tasks of the cycles right before this one that have no end: still running, frozen, or killed."""
    rows = connection.execute(
        text("""
        SELECT DISTINCT r.cycle_t, r.task_id FROM runs r
        WHERE r.cycle_t < :cycle AND r.cycle_t >= :since AND r.ended_at IS NULL AND NOT EXISTS (
          SELECT FROM runs again
          WHERE (again.cycle_t, again.task_id) = (r.cycle_t, r.task_id) AND again.run_no > r.run_no AND again.succeeded)
        ORDER BY 1, 2
        """),
        {"cycle": run.cycle, "since": run.cycle - 2 * CYCLE_LENGTH},
    )
    return [f"{row.task_id} of {row.cycle_t:%H:%M}" for row in rows]
