"""What the rules look at: one row in one cycle, with everything that is derived from it once."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from strandline.model.exact import Money, Price
from strandline.model.position import Holding
from strandline.model.side import Side
from strandline.model.signal import Flag
from strandline.model.strategy import Strategy
from strandline.pm.appetite import AppetiteScores
from strandline.pm.exit_due import ExitDue, exit_due
from strandline.pm.flags import Raised, raised
from strandline.pm.inputs import KnownPrice, Row
from strandline.pm.trail import Trail, trail_of


@dataclass(frozen=True)
class RowContext:
    """Rules read it, and nothing else."""

    row: Row
    cycle: datetime
    strategy: Strategy
    strategy_hash: str
    urges: AppetiteScores
    equity: Money | None
    allocation: Money
    remaining: Money

    @property
    def holding(self) -> Holding:
        """What the row holds by its fills."""
        return self.row.position.holding

    @property
    def held(self) -> bool:
        """Whether it holds anything at all."""
        return bool(self.holding.quantity)

    @property
    def trade_no(self) -> int:
        """The open trade, or the one that an entry would open."""
        return self.holding.trade_no if self.held else self.holding.trade_no + 1

    @property
    def price(self) -> Price | None:
        """P, or None if there is none that can be trusted."""
        return self.row.price.price if self.row.price else None

    @cached_property
    def known_price(self) -> KnownPrice | None:
        """P; where it cannot be trusted the newer of mark and close, and as a last resort what was paid."""
        return self.row.price or _last_known(self.row)

    @property
    def decision_price(self) -> KnownPrice:
        """The known price, for a decision that needs one: exits do not wait for P, and what is held was paid for."""
        if self.known_price is None:
            raise ValueError(f"{self.row.position.key}: nobody knows any price")
        return self.known_price

    @cached_property
    def exit_due(self) -> ExitDue | None:
        """See `exit_due`."""
        return exit_due(self.row)

    @cached_property
    def trail(self) -> Trail:
        """See `trail_of`."""
        return trail_of(self.row, self.strategy.exits)

    def raised(self, flag: Flag) -> Raised | str:
        """See `flags.raised`."""
        return raised(flag, self.row, self.cycle, self.strategy.entries)

    def open_on(self, side: Side) -> bool:
        """Whether an intent of the row on this side may still become a fill."""
        return any(intent.side is side for intent in self.row.open_intents)


def _last_known(row: Row) -> KnownPrice | None:
    known = [price for price in (row.mark, _newest_close(row)) if price is not None]
    return max(known, key=lambda price: price.observed_at) if known else _paid(row)


def _newest_close(row: Row) -> KnownPrice | None:
    signal = row.newest
    if signal is None:
        return None
    return KnownPrice(
        price=Price.from_float(signal.indicators["close"]),
        source=f"close {signal.timeframe} {signal.bar_ts.isoformat()}",
        observed_at=signal.bar_ts + signal.timeframe.length,
    )


def _paid(row: Row) -> KnownPrice | None:
    holding = row.position.holding
    if holding.average_entry is None or holding.first_fill_at is None:
        return None
    return KnownPrice(price=holding.average_entry, source="average entry", observed_at=holding.first_fill_at)
