"""Computes the seeded log price at the start of each block of minutes.

Within a span of 512 blocks it is a Brownian bridge between two anchors, made by midpoint displacement. The anchors are
bounded, so that prices stay in range over decades.
"""

import math
from functools import lru_cache
from typing import Final

import numpy as np

from strandline_sim.market.price_grid import Floats
from strandline_sim.market.seeded_random import SeededRandom, correlated
from strandline_sim.market.spec import SymbolSpec

BLOCK_MINUTES: Final = 2048

_BLOCKS_PER_SPAN: Final = 512
_MAX_ANCHOR: Final = 0.6


class BlockLevels:
    """The seeded log prices of one symbol, up to a constant."""

    def __init__(self, spec: SymbolSpec, random: SeededRandom) -> None:
        self._spec = spec
        self._random = random
        self._span = lru_cache(maxsize=16)(self._make_span)

    def level(self, block: int) -> float:
        """Return the log price at the start of the block."""
        span, within = divmod(block, _BLOCKS_PER_SPAN)
        return float(self._span(span)[within])

    def _make_span(self, span: int) -> Floats:
        """Compute all levels of a span, both ends included."""
        levels = np.zeros(_BLOCKS_PER_SPAN + 1)
        levels[0], levels[-1] = self._anchor(span), self._anchor(span + 1)
        normals = correlated(self._random, self._spec, "skeleton", span, _BLOCKS_PER_SPAN)
        step = _BLOCKS_PER_SPAN
        while step > 1:
            known = _BLOCKS_PER_SPAN // step
            deviation = self._spec.sigma * math.sqrt(step * BLOCK_MINUTES) / 2
            middles = (levels[:-1:step] + levels[step::step]) / 2
            levels[step // 2 :: step] = middles + deviation * normals[known : 2 * known]
            step //= 2
        return levels

    def _anchor(self, span: int) -> float:
        draw = float(self._random.generator(self._spec.symbol, "anchor", span).random())
        return _MAX_ANCHOR * (2 * draw - 1)
