"""Slippage against the price that was decided on."""

from strandline.model.exact import Price
from strandline.model.side import Side


def slippage_bps(price: Price, reference: Price, side: Side) -> float:
    """Slippage in basis points; negative where the trade was better than the reference."""
    higher = (float(price) / float(reference) - 1) * 10_000
    return higher if side is Side.BUY else -higher
