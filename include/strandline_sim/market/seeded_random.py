"""Chance that is a function: the same key always gives the same draws, in every process."""

import hashlib
import math

import numpy as np

from strandline_sim.market.price_grid import Floats
from strandline_sim.market.spec import SymbolSpec


class SeededRandom:
    """Random numbers by key, from one seed; asking for one never changes another."""

    def __init__(self, seed: int) -> None:
        self._prefix = f"{seed}|"

    def generator(self, symbol: str, purpose: str, index: int) -> np.random.Generator:
        """A fresh generator that belongs to this key alone."""
        text = f"{self._prefix}{len(symbol)}|{symbol}|{purpose}|{index}"
        key = np.frombuffer(hashlib.blake2b(text.encode(), digest_size=16).digest(), dtype="<u8")
        return np.random.Generator(np.random.Philox(key=key))


def correlated(random: SeededRandom, spec: SymbolSpec, purpose: str, index: int, count: int) -> Floats:
    """Normal draws, a part of which the symbol shares with its leader."""
    own = random.generator(spec.symbol, purpose, index).standard_normal(count)
    if spec.leader is None or not spec.correlation:
        return own
    shared = random.generator(spec.leader, purpose, index).standard_normal(count)
    return spec.correlation * shared + math.sqrt(1 - spec.correlation**2) * own
