"""The context of the rules: one row in one cycle, with everything that is derived from it once."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from strandline.model.exact import Money, Price
from strandline.model.mark import Mark
from strandline.model.position import Holding
from strandline.model.side import Side
from strandline.model.signal import Flag, Signal
from strandline.model.strategy import Strategy
from strandline.pm.appetite import AppetiteScores
from strandline.pm.exit_due import ExitDue, exit_due
from strandline.pm.flags import fresh_signal
from strandline.pm.inputs import RowInputs
from strandline.pm.latch import is_latched
from strandline.pm.trail import Trail, trail_of


@dataclass(frozen=True)
class RowContext:
    """All that a rule may read."""

    row: RowInputs
    cycle: datetime
    strategy: Strategy
    strategy_hash: str
    scores: AppetiteScores
    equity: Money | None
    allocation: Money
    remaining: Money

    @property
    def holding(self) -> Holding:
        """The row's holding by its fills."""
        return self.row.position.holding

    @property
    def held(self) -> bool:
        """Whether the row holds anything."""
        return bool(self.holding.quantity)

    @property
    def price(self) -> Price | None:
        """P, or None if no price can be trusted."""
        return self.row.price.price if self.row.price else None

    @cached_property
    def last_price(self) -> Mark | None:
        """P; without a trusted P the newer of mark and close, and as a last resort the average entry."""
        return self.row.price or _last_price(self.row)

    @property
    def decision_price(self) -> Mark:
        """The last price, for decisions that need one: exits do not wait for P, and a holding has an average entry."""
        if self.last_price is None:
            raise ValueError(f"{self.row.position.key}: there is no price to decide at, trusted or not")
        return self.last_price

    @cached_property
    def exit_due(self) -> ExitDue | None:
        """The exit that is due, if any."""
        return exit_due(self.row)

    @cached_property
    def latched(self) -> bool:
        """Whether the loss latch keeps the row from all entries but a reclaim."""
        return is_latched(self.row)

    @cached_property
    def trail(self) -> Trail:
        """The trailing stop."""
        return trail_of(self.row, self.strategy.exits)

    def fresh_signal(self, flag: Flag) -> Signal | str:
        """Return the newest signal if its flag still counts, or why it does not."""
        return fresh_signal(flag, self.row, self.cycle, self.strategy.entries)

    def open_on(self, side: Side) -> bool:
        """Whether an intent of the row on this side may still become a fill."""
        return any(intent.side is side for intent in self.row.open_intents)


def _last_price(row: RowInputs) -> Mark | None:
    marks = [mark for mark in (row.mark, _newest_close(row)) if mark is not None]
    return max(marks, key=lambda mark: mark.observed_at) if marks else _average_entry(row)


def _newest_close(row: RowInputs) -> Mark | None:
    signal = row.newest
    if signal is None:
        return None
    return Mark(
        price=Price.from_float(signal.indicators["close"]),
        source=f"close {signal.timeframe} {signal.bar_ts.isoformat()}",
        observed_at=signal.bar_end,
    )


def _average_entry(row: RowInputs) -> Mark | None:
    holding = row.position.holding
    if holding.average_entry is None or holding.first_fill_at is None:
        return None
    return Mark(price=holding.average_entry, source="average entry", observed_at=holding.first_fill_at)
