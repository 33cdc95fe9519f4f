"""Identities are derived from what a thing is, so that making it twice makes the same thing."""

from typing import Final
from uuid import UUID, uuid5

# Written down once, for ever: changing it would give every position, intent and order another identity.
_NAMESPACE: Final = UUID("6f0c0b0e-8a0f-5d9e-9b1c-5a7d3c1f4e21")


def derived_id(kind: str, *parts: str | int) -> UUID:
    """The id of this kind of thing with these parts; parts may hold any text without running into each other."""
    return uuid5(_NAMESPACE, "\x1f".join((kind, *(f"{len(str(part))}:{part}" for part in parts))))
