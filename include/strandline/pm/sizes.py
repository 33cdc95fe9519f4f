"""Order sizes: f(A) of what remains, f(E) of what is held, and the minimum of each."""

from strandline.model.exact import Money, Price, Quantity, Ratio
from strandline.model.strategy import Strategy
from strandline.pm.appetite import extracted_share
from strandline.pm.context import RowContext
from strandline.pm.curve import value_at
from strandline.pm.rounding import CENT, cents, ratio


def entry_share(appetite: float, factor: float, strategy: Strategy) -> Ratio:
    """Compute the fraction of the remaining allocation that an entry takes."""
    return ratio(factor * value_at(strategy.sizes.entry, appetite))


def entry_notional(ctx: RowContext, part: Ratio) -> Money:
    """Compute this fraction of the remaining allocation, in cents."""
    return cents(ctx.remaining * part)


def rung_notional(ctx: RowContext, part: Ratio) -> Money:
    """Compute this fraction of the whole allocation, in cents, as far as so much remains."""
    return cents(min(ctx.remaining, ctx.allocation * part))


def min_entry(ctx: RowContext) -> Money:
    """Compute the smallest entry that is made: 3 × the venue's minimum, and never less than one lot or one cent."""
    instrument = ctx.row.instrument
    minimum = instrument.min_notional * ratio(ctx.strategy.dust.skip_entry_below_min_notionals)
    return max(minimum, ctx.decision_price.price * instrument.lot, CENT)


def trim_share(ctx: RowContext) -> Ratio:
    """Compute the fraction of the holding that a trim sells; it falls with what was extracted already."""
    sizes = ctx.strategy.sizes
    damping = value_at(sizes.trim_damping, extracted_share(ctx.holding))
    return ratio(min(sizes.trim_max, value_at(sizes.trim, ctx.scores.exit_urgency) * damping))


def trim_quantity(ctx: RowContext, part: Ratio, price: Price) -> Quantity:
    """Compute the quantity in whole lots: zero below the venue's minimum, everything if the rest would be dust."""
    instrument, held = ctx.row.instrument, ctx.holding.quantity
    sold = held.scaled(part).in_lots(instrument.lot)
    if not sold:
        return sold
    if (held - sold) * price < instrument.min_notional * ratio(ctx.strategy.dust.sell_all_below_min_notionals):
        return held
    return sold if sold * price >= instrument.min_notional else Quantity(0)
