"""Piecewise linear functions, as the strategy writes them: points, and flat outside of them."""

from itertools import pairwise

from strandline.model.strategy import Curve


def value_at(curve: Curve, x: float) -> float:
    """The curve's value at x."""
    if x <= curve[0][0]:
        return curve[0][1]
    for (x0, y0), (x1, y1) in pairwise(curve):
        if x <= x1:
            return y0 + (y1 - y0) * ((x - x0) / (x1 - x0))
    return curve[-1][1]
