"""By how much our bar may differ from the venue's candle of the same minute before the candle replaces it."""

from typing import Final

PRICE_TOLERANCE: Final = 1e-4
"""Of the venue's price. No setting: the bars are the same for every strategy."""

VOLUME_TOLERANCE: Final = 1e-3
"""Of the venue's volume: sums of floats are rounded."""
