"""The trailing stop: the highest price since entry, and whether the trail is armed. Only a flat row disarms it."""

from dataclasses import dataclass

from strandline.model.exact import Price, Ratio
from strandline.model.strategy import Exits
from strandline.pm.inputs import Row
from strandline.pm.rounding import percent


@dataclass(frozen=True)
class Trail:
    """H, whether it ever rose far enough, and the price at which all is sold."""

    highest: Price | None
    armed: bool
    line: Price | None


def trail_of(row: Row, exits: Exits) -> Trail:
    """The highest price only rises, and the trail with it."""
    average = row.position.holding.average_entry
    if average is None:
        return Trail(highest=None, armed=False, line=None)
    memory = row.memory_of_trade
    seen = (memory.highest if memory else None, row.highest_close, row.price.price if row.price else None)
    highest = max((price for price in seen if price is not None), default=None)
    if highest is None:
        return Trail(highest=None, armed=False, line=None)
    arms_at = average.scaled(Ratio(1) + percent(exits.trail_arms_pct))
    armed = (memory is not None and memory.trail_armed) or highest >= arms_at
    return Trail(highest=highest, armed=armed, line=highest.scaled(Ratio(1) - percent(exits.trail_pct)))
