"""The breakers: losses of the whole portfolio that stop every entry, and never an exit."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from strandline.model.breaker import Breaker
from strandline.model.exact import Money, Ratio
from strandline.model.strategy import Breakers
from strandline.pm.inputs import CycleInputs
from strandline.pm.rounding import percent

_Check: TypeAlias = Callable[[CycleInputs, Breakers], bool]


def tripped(inputs: CycleInputs, limits: Breakers) -> tuple[Breaker, ...]:
    """What trips in this cycle, and what an earlier one tripped and nobody has reset since.

    While the equity is unknown nothing new trips by it: entries are blocked by that alone.
    """
    return tuple(breaker for breaker in Breaker if breaker in inputs.tripped_before or _CHECKS[breaker](inputs, limits))


def _daily_loss(inputs: CycleInputs, limits: Breakers) -> bool:
    return _has_lost(inputs.equity, inputs.day_start, percent(limits.max_daily_loss_pct))


def _drawdown(inputs: CycleInputs, limits: Breakers) -> bool:
    return _has_lost(inputs.equity, inputs.peak, percent(limits.max_drawdown_pct))


def _losing_streak(inputs: CycleInputs, limits: Breakers) -> bool:
    return inputs.losing_streak >= limits.max_consecutive_losses


def _has_lost(equity: Money | None, reference: Money | None, part: Ratio) -> bool:
    """Whether equity is below the reference by this part of it, or more. Where nothing was, nothing is lost."""
    if equity is None or reference is None or equity >= reference:
        return False
    return reference - equity >= reference * part


_CHECKS: Final[Mapping[Breaker, _Check]] = {
    Breaker.DAILY_LOSS: _daily_loss,
    Breaker.DRAWDOWN: _drawdown,
    Breaker.LOSING_STREAK: _losing_streak,
}
