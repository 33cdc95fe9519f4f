"""The market's open interest: the positions of everybody but the clients."""

from decimal import Decimal
from typing import Final

from strandline_sim.market.seeded_random import SeededRandom
from strandline_sim.market.spec import SymbolSpec

_HOUR_MS: Final = 3_600_000
_PER_LIQUIDITY: Final = 20
"""Open interest at the start price, as a multiple of the dollars within 1 % of the mid."""


def open_interest(spec: SymbolSpec, random: SeededRandom, at_ms: int) -> Decimal:
    """Return it in whole lots; it wanders by a fifth, from one level to the next within an hour."""
    hour, into = divmod(at_ms, _HOUR_MS)
    before, after = (random.generator(spec.symbol, "open interest", one).random() for one in (hour, hour + 1))
    share = 0.8 + 0.4 * (before + (after - before) * into / _HOUR_MS)
    lots = spec.liquidity * _PER_LIQUIDITY / float(spec.start_price) * share * 10**spec.size_decimals
    return Decimal(int(lots)).scaleb(-spec.size_decimals)
