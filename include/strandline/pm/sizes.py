"""How much: f(A) of what remains, f(E) of what is held, and what is too little."""

from strandline.model.exact import Money, Price, Quantity, Ratio
from strandline.model.instrument import Instrument
from strandline.model.strategy import Strategy
from strandline.pm.appetite import extracted_share
from strandline.pm.context import RowContext
from strandline.pm.curve import value_at
from strandline.pm.rounding import CENT, cents, ratio


def entry_share(appetite: float, factor: float, strategy: Strategy) -> Ratio:
    """The part of what remains that an entry takes."""
    return ratio(factor * value_at(strategy.sizes.entry, appetite))


def entry_notional(at: RowContext, part: Ratio) -> Money:
    """That part of what remains, in cents."""
    return cents(at.remaining * part)


def least_entry(instrument: Instrument, price: Price, strategy: Strategy) -> Money:
    """Entries below it are left alone: 3 × the venue's minimum, and never less than one lot or one cent."""
    minimum = instrument.min_notional * ratio(strategy.dust.skip_entry_below_min_notionals)
    return max(minimum, price * instrument.lot, CENT)


def trim_share(at: RowContext) -> Ratio:
    """The part of the quantity that a trim sells; the more was extracted already, the less."""
    sizes = at.strategy.sizes
    damping = value_at(sizes.trim_damping, extracted_share(at.holding))
    return ratio(min(sizes.trim_max, value_at(sizes.trim, at.urges.exit_urgency) * damping))


def trim_quantity(at: RowContext, part: Ratio, price: Price) -> Quantity:
    """In whole lots. Nothing if the venue would not take so little; all if what is left would be dust."""
    instrument, held = at.row.instrument, at.holding.quantity
    sold = held.scaled(part).in_lots(instrument.lot)
    if not sold:
        return sold
    if (held - sold) * price < instrument.min_notional * ratio(at.strategy.dust.sell_all_below_min_notionals):
        return held
    return sold if sold * price >= instrument.min_notional else Quantity(0)
