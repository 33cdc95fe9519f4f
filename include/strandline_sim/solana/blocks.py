"""Slots, block heights and blockhashes, computed from the time.

Heights count blocks, slots count time: a slot may be skipped. After a fork its blocks have other hashes.
"""

import hashlib
from bisect import bisect_right, insort
from enum import StrEnum
from typing import Final

from solders.hash import Hash

SLOT_MS: Final = 400
VALID_BLOCKS: Final = 150
"""The number of blocks for which a blockhash is valid."""
FINAL_BLOCKS: Final = 32
SLOTS_PER_EPOCH: Final = 432_000
_FIRST_SLOT, _FIRST_HEIGHT = 320_000_000, 300_000_000
_INDEXED_BLOCKS: Final = 2 * VALID_BLOCKS


class Commitment(StrEnum):
    """How certain it is that a block stays."""

    PROCESSED = "processed"
    CONFIRMED = "confirmed"
    FINALIZED = "finalized"

    @property
    def depth(self) -> int:
        """The number of blocks that must follow."""
        return _DEPTH[self]


_DEPTH: Final = {Commitment.PROCESSED: 0, Commitment.CONFIRMED: 1, Commitment.FINALIZED: FINAL_BLOCKS}


class Blocks:
    """The blocks since `start` (milliseconds); every slot divisible by `skip_every` has no block."""

    def __init__(self, start: int, seed: int = 0, skip_every: int | None = None) -> None:
        if skip_every is not None and skip_every < 2:
            raise ValueError("skip_every must be 2 or more: some slots must have a block")
        self._start = start
        self._seed = seed
        self._skip_every = skip_every
        self._forks: list[int] = []
        self._heights: dict[Hash, int] = {}
        self._indexed_to = 0

    def height_at(self, instant: int) -> int:
        """Return the height of the newest block."""
        return self._height(max(0, instant - self._start) // SLOT_MS)

    def slot_of(self, height: int) -> int:
        """Return the slot of the block of this height."""
        return _FIRST_SLOT + self._slots(height)

    def height_in(self, slot: int) -> int | None:
        """Return the height of the block in this slot; None if it has none."""
        height = self._height(slot - _FIRST_SLOT)
        return height if slot >= _FIRST_SLOT and self.slot_of(height) == slot else None

    def time_of(self, height: int) -> int:
        """Return the time of the block of this height."""
        return self._start + self._slots(height) * SLOT_MS

    def hash_of(self, height: int) -> Hash:
        """Return the blockhash at this height on the current fork."""
        generation = bisect_right(self._forks, height)
        return Hash(hashlib.sha256(f"block {self._seed} {generation} {height}".encode()).digest())

    def height_of(self, blockhash: Hash, newest: int) -> int | None:
        """Return the height of a recent block; None for an unknown or old one."""
        for height in range(max(self._indexed_to + 1, newest - _INDEXED_BLOCKS), newest + 1):
            self._heights[self.hash_of(height)] = height
        self._indexed_to = max(self._indexed_to, newest)
        if len(self._heights) > 4 * _INDEXED_BLOCKS:
            self._heights = {key: height for key, height in self._heights.items() if newest - height <= _INDEXED_BLOCKS}
        found = self._heights.get(blockhash)
        return found if found is not None and found <= newest else None

    def valid(self, blockhash: Hash, newest: int) -> bool:
        """Whether a transaction with this blockhash may be in a block of this height."""
        height = self.height_of(blockhash, newest)
        return height is not None and newest - height <= VALID_BLOCKS

    def fork(self, height: int) -> None:
        """Replace the blocks from this height on by others."""
        insort(self._forks, height)
        self._heights.clear()
        self._indexed_to = 0

    def _height(self, slots: int) -> int:
        return _FIRST_HEIGHT + slots - (slots // self._skip_every if self._skip_every else 0)

    def _slots(self, height: int) -> int:
        blocks = height - _FIRST_HEIGHT
        if not self._skip_every or blocks < 1:
            return blocks
        return blocks + (blocks - 1) // (self._skip_every - 1)
