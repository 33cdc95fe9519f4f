"""How a trade compares with the price that was decided on."""

from strandline.model.exact import Price
from strandline.model.side import Side


def slippage_bps(price: Price, reference: Price, side: Side) -> float:
    """How much worse it is, in hundredths of a percent; below zero it is better."""
    higher = (float(price) / float(reference) - 1) * 10_000
    return higher if side is Side.BUY else -higher
