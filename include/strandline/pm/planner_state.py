"""Makes the state that the planner keeps of a row until the next cycle."""

from datetime import datetime

from strandline.model.intent import ExitReason
from strandline.model.signal import Signal
from strandline.pm.context import RowContext
from strandline.pm.exit_due import ExitDue, stronger
from strandline.pm.inputs import PlannerState, RowInputs


def next_state(ctx: RowContext, keep_flags: bool, fired: ExitReason | None = None) -> PlannerState | None:
    """The row's next planner state; None as long as it has no signal. `keep_flags`: the newest bar's flags may still be
    acted on in the next cycle. `fired` is the reason of the exit that was decided: it stays due. What a person wants
    sold stays due by the request, which is settled once the row is not in a trade.
    """
    cursor = _cursor(ctx.row, keep_flags)
    if cursor is None:
        return None
    generation, bar_ts, bar_revision = cursor
    due = ctx.exit_due
    if fired is not None and fired is not ExitReason.MANUAL:
        due = stronger(due, ExitDue(fired, ctx.row.newest.bar_ts if ctx.row.newest else bar_ts))
    return PlannerState(
        generation=generation,
        bar_ts=bar_ts,
        bar_revision=bar_revision,
        restep=_restep(ctx.row, generation),
        trade_no=ctx.row.trade_no,
        exit_due=due.reason if due else None,
        exit_due_bar=due.bar if due else None,
        highest=ctx.trail.highest,
        trail_armed=ctx.trail.armed,
        released_trade_no=_released(ctx),
        settled_request=_settled(ctx.row),
    )


def _released(ctx: RowContext) -> int | None:
    """What has once released the latch need not be seen again."""
    loss = ctx.row.history.last_loss
    if loss is not None and not ctx.latched:
        return loss.trade_no
    return ctx.row.planner_state.released_trade_no if ctx.row.planner_state else None


def _settled(row: RowInputs) -> int:
    if row.exit_request is not None and not row.in_trade:
        return row.exit_request.number
    return row.planner_state.settled_request if row.planner_state else 0


def _cursor(row: RowInputs, keep_flags: bool) -> tuple[int, datetime, int] | None:
    """Generation, bar and revision of the last signal that need not be read again."""
    newest, state = row.newest, row.planner_state
    if newest is None:
        return (state.generation, state.bar_ts, state.bar_revision) if state else None
    if not keep_flags:
        return newest.generation, newest.bar_ts, newest.bar_revision
    done = [(signal.bar_ts, signal.bar_revision) for signal in row.signals[:-1]]
    if state is not None and state.generation == newest.generation:
        done.append((state.bar_ts, state.bar_revision))
    return newest.generation, *max(done, default=_bar_before(newest))


def _restep(row: RowInputs, generation: int) -> int:
    """The last restep that was read. Each makes a signal of at least one bar, before the cursor or after it."""
    state = row.planner_state
    before = state.restep if state is not None and state.generation == generation else 0
    return max([before, *(signal.restep for signal in (*row.revised, *row.signals))])


def _bar_before(signal: Signal) -> tuple[datetime, int]:
    return signal.bar_ts - signal.timeframe.length, 0
