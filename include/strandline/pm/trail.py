"""The trailing stop: the highest price since entry, and whether the trail is armed. Only a flat row disarms it."""

from dataclasses import dataclass

from strandline.model.exact import Price, Ratio
from strandline.model.strategy import Exits
from strandline.pm.inputs import RowInputs
from strandline.pm.rounding import percent


@dataclass(frozen=True)
class Trail:
    """H, whether the trail is armed, and the price at which everything is sold."""

    highest: Price | None
    armed: bool
    line: Price | None


def trail_of(row: RowInputs, exits: Exits) -> Trail:
    """The highest price never falls within a trade, and the trail follows it."""
    average = row.position.holding.average_entry
    if average is None:
        return Trail(highest=None, armed=False, line=None)
    state = row.trade_state
    seen = (state.highest if state else None, row.highest_close, row.price.price if row.price else None)
    highest = max((price for price in seen if price is not None), default=None)
    if highest is None:
        return Trail(highest=None, armed=False, line=None)
    arms_at = average.scaled(Ratio(1) + percent(exits.trail_arms_pct))
    armed = (state is not None and state.trail_armed) or highest >= arms_at
    return Trail(highest=highest, armed=armed, line=highest.scaled(Ratio(1) - percent(exits.trail_pct)))
