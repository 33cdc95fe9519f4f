"""What trading costs on paper: coarse, and rather too much than too little."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from strandline.model.exact import Money, Quantity, Ratio
from strandline.model.venue import HYPERLIQUID_PERPS, SOLANA_ONCHAIN, VenueKey


class Costs(NamedTuple):
    """Of one venue.

    An order pays the far side of the spread, and on top of it `slippage` at `most`, less in proportion when it is
    smaller. Beyond `most` it is not filled: that is all the volume there is for one order. `least` is the venue's
    minimum, `step` the finest quantity.
    """

    fee: Ratio
    slippage: Decimal
    most: Money
    least: Money
    step: Quantity


_OF_VENUES: Final[Mapping[VenueKey, Costs]] = {
    HYPERLIQUID_PERPS: Costs(
        fee=Ratio("0.00045"), slippage=Decimal("0.0010"), most=Money(100_000), least=Money(10), step=Quantity("1e-6")
    ),
    SOLANA_ONCHAIN: Costs(
        fee=Ratio("0.0010"), slippage=Decimal("0.0050"), most=Money(10_000), least=Money(1), step=Quantity("1e-9")
    ),
}


def costs_of(venue: VenueKey) -> Costs:
    """Every venue that there is has some."""
    return _OF_VENUES[venue]
