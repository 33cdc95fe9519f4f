"""Ids derived from content: the same content always has the same id."""

from functools import lru_cache
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid5

# Never change it: every position, intent and order would get another id.
_NAMESPACE: Final = UUID("6f0c0b0e-8a0f-5d9e-9b1c-5a7d3c1f4e21")

_NO_VENUES_IDS: Final = -(2**62)
"""Venues' trade ids are zero and above; these are so far below that no damaged one is taken for them."""


@lru_cache(maxsize=100_000, typed=True)  # every step asks for the same rows' ids, several times each
def derived_id(kind: str, *parts: str | int) -> UUID:
    """Derive an id from the kind and the parts. It includes their lengths, so that different parts never clash."""
    return uuid5(_NAMESPACE, "\x1f".join((kind, *(f"{len(str(part))}:{part}" for part in parts))))


def derived_trade_id(*parts: str | int) -> int:
    """Derive the id of a trade that has none. It is below zero, so that bars never count it beside those that have."""
    digest = sha256("\n".join(map(str, parts)).encode()).digest()
    return _NO_VENUES_IDS - 1 - (int.from_bytes(digest[:8], "big") >> 2)


def is_trade_id(number: int) -> bool:
    """Whether it is an id of a venue, or a derived one."""
    return 0 <= number < 2**63 or -(2**63) <= number < _NO_VENUES_IDS
