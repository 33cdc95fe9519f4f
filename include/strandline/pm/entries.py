"""Rules 8 and 9: when a row buys. Whether it may is asked elsewhere."""

from typing import Final

from strandline.model.intent import Decision
from strandline.model.signal import EngineState, Flag
from strandline.pm import reasons as why
from strandline.pm.context import RowContext
from strandline.pm.flags import Raised
from strandline.pm.proposals import Buy, BuyRule
from strandline.pm.sizes import entry_notional, entry_share, least_entry


def first_buy(at: RowContext) -> Buy | str:
    """Rule 8: the first buy of an attempt."""
    flag = at.raised(Flag.BUY_SIGNAL)
    if isinstance(flag, str):
        return flag
    if at.held:
        return why.ALREADY_POSITIONED
    if flag.signal.attempt_id is None:
        return why.NO_ATTEMPT
    if flag.signal.attempt_id in at.row.past.attempts_bought:
        return why.ATTEMPT_BOUGHT
    return _buy(at, flag, 1.0, Flag.BUY_SIGNAL)


def next_buy(at: RowContext) -> Buy | str:
    """Rule 9: once per visit to S2, and once on the first dip of a trend; whether something is held or not."""
    in_s2 = at.row.newest is not None and at.row.newest.state is EngineState.S2
    return _in_s2(at) if in_s2 else _first_dip(at)


BUY_RULES: Final[tuple[tuple[int, BuyRule], ...]] = (
    (8, first_buy),
    (9, next_buy),
)
"""In the order in which they are asked."""


def _in_s2(at: RowContext) -> Buy | str:
    flag = at.raised(Flag.BUY_FLAG)
    if isinstance(flag, str):
        return flag
    if flag.signal.state_since in at.row.past.visits_bought:
        return why.VISIT_BOUGHT
    return _buy(at, flag, at.strategy.sizes.s2_factor, Flag.BUY_FLAG)


def _first_dip(at: RowContext) -> Buy | str:
    flag = at.raised(Flag.FIRST_DIP_BUY_FLAG)
    if isinstance(flag, str):
        return flag
    if flag.signal.trend_id is None:
        return why.NO_TREND
    if flag.signal.trend_id in at.row.past.trends_dipped:
        return why.TREND_DIPPED
    return _buy(at, flag, at.strategy.sizes.s2_factor, Flag.FIRST_DIP_BUY_FLAG)


def _buy(at: RowContext, flag: Raised, factor: float, name: Flag) -> Buy | str:
    part = entry_share(at.urges.appetite, factor, at.strategy)
    notional = entry_notional(at, part)
    least = least_entry(at.row.instrument, flag.price, at.strategy)
    if notional < least:
        return why.BELOW_MINIMUM
    return Buy(Decision.ADD, notional, least, part, (name.value,))
