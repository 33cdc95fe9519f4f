"""Rule 7: what keeps a row from buying, whatever its flags. Every block that applies is named."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from strandline.model.breaker import Breaker
from strandline.model.position import DesiredStatus
from strandline.model.side import Side
from strandline.model.signal import Flag
from strandline.model.strategy import Strategy
from strandline.pm import reasons as why
from strandline.pm.context import RowContext
from strandline.pm.inputs import CycleInputs, RowInputs

Block: TypeAlias = Callable[[RowContext], Iterator[str]]


def cycle_blocks(inputs: CycleInputs, strategy: Strategy, tripped: Iterable[Breaker]) -> tuple[str, ...]:
    """What blocks the entries of all rows."""
    reasons = [inputs.halt.value] if inputs.halt else []
    reasons += [f"{why.BREAKER}:{breaker}" for breaker in tripped]
    reasons += inputs.block_all_entries
    oldest = inputs.cycle - timedelta(seconds=strategy.freshness.max_mark_age_seconds)
    if any(row.position.holding.quantity and not _marked_since(row, oldest) for row in inputs.rows):
        reasons.append(why.STALE_MARKS)
    if inputs.equity is None or inputs.day_start is None or inputs.peak is None:
        reasons.append(why.NO_EQUITY)
    return tuple(dict.fromkeys(reasons))


def row_blocks(ctx: RowContext) -> tuple[str, ...]:
    """What blocks the entries of this row."""
    return tuple(dict.fromkeys(reason for block in BLOCKS for reason in block(ctx)))


def _quality(ctx: RowContext) -> Iterator[str]:
    for finding in ctx.row.block_all:
        yield f"{why.BLOCK_ALL}:{finding}"
    for finding in ctx.row.block_entries:
        yield f"{why.BLOCK_ENTRIES}:{finding}"


def _trim_flag(ctx: RowContext) -> Iterator[str]:
    if ctx.row.newest is not None and Flag.TRIM_FLAG in ctx.row.newest.flags:
        yield why.TRIM_FLAG


def _desired_status(ctx: RowContext) -> Iterator[str]:
    if ctx.row.position.desired_status is DesiredStatus.PAUSED:
        yield why.PAUSED
    if not ctx.row.position.ready:
        yield why.DORMANT


def _open_intents(ctx: RowContext) -> Iterator[str]:
    if ctx.open_on(Side.BUY):
        yield why.OPEN_ENTRY
    if ctx.open_on(Side.SELL):
        yield why.OPEN_EXIT


def _price(ctx: RowContext) -> Iterator[str]:
    if ctx.row.price is None:
        yield why.NO_TRUSTED_PRICE


BLOCKS: Final[tuple[Block, ...]] = (_trim_flag, _quality, _desired_status, _open_intents, _price)
"""In the order in which they are named."""


def _marked_since(row: RowInputs, oldest: datetime) -> bool:
    return row.mark is not None and row.mark.observed_at >= oldest
