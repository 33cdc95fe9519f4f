"""Seeded random numbers by key: the same key gives the same draws, in every process."""

import hashlib
import math

import numpy as np

from strandline_sim.market.price_grid import Floats
from strandline_sim.market.spec import SymbolSpec


class SeededRandom:
    """Independent generators by key, from one seed."""

    def __init__(self, seed: int) -> None:
        self._prefix = f"{seed}|"

    def generator(self, symbol: str, purpose: str, index: int) -> np.random.Generator:
        """Make the generator of this key."""
        text = f"{self._prefix}{len(symbol)}|{symbol}|{purpose}|{index}"
        key = np.frombuffer(hashlib.blake2b(text.encode(), digest_size=16).digest(), dtype="<u8")
        return np.random.Generator(np.random.Philox(key=key))


def correlated(random: SeededRandom, spec: SymbolSpec, purpose: str, index: int, count: int) -> Floats:
    """Draw normal numbers that are correlated with those of the symbol's leader."""
    own = random.generator(spec.symbol, purpose, index).standard_normal(count)
    if spec.leader is None or not spec.correlation:
        return own
    shared = random.generator(spec.leader, purpose, index).standard_normal(count)
    return spec.correlation * shared + math.sqrt(1 - spec.correlation**2) * own
