"""What the next cycle has to know of a row."""

from datetime import datetime

from strandline.model.signal import Signal
from strandline.pm.context import RowContext
from strandline.pm.inputs import Memory, Row


def memory_of(at: RowContext, keep_flags: bool) -> Memory | None:
    """None as long as the engine has said nothing. `keep_flags`: the newest bar's flags may count once more."""
    cursor = _cursor(at.row, keep_flags)
    if cursor is None:
        return None
    generation, bar_ts, bar_revision = cursor
    return Memory(
        generation=generation,
        bar_ts=bar_ts,
        bar_revision=bar_revision,
        trade_no=at.holding.trade_no,
        exit_due=at.exit_due.reason if at.exit_due else None,
        exit_due_bar=at.exit_due.bar if at.exit_due else None,
        highest=at.trail.highest,
        trail_armed=at.trail.armed,
    )


def _cursor(row: Row, keep_flags: bool) -> tuple[int, datetime, int] | None:
    """Generation, bar and revision of the last signal that is done with."""
    newest, memory = row.newest, row.memory
    if newest is None:
        return (memory.generation, memory.bar_ts, memory.bar_revision) if memory else None
    if not keep_flags:
        return newest.generation, newest.bar_ts, newest.bar_revision
    done = [(signal.bar_ts, signal.bar_revision) for signal in row.signals[:-1]]
    if memory is not None and memory.generation == newest.generation:
        done.append((memory.bar_ts, memory.bar_revision))
    return newest.generation, *max(done, default=_bar_before(newest))


def _bar_before(signal: Signal) -> tuple[datetime, int]:
    return signal.bar_ts - signal.timeframe.length, 0
