"""Ids derived from content: the same content always has the same id."""

from typing import Final
from uuid import UUID, uuid5

# Never change it: every position, intent and order would get another id.
_NAMESPACE: Final = UUID("6f0c0b0e-8a0f-5d9e-9b1c-5a7d3c1f4e21")


def derived_id(kind: str, *parts: str | int) -> UUID:
    """Derive an id from the kind and the parts. It includes their lengths, so that different parts never clash."""
    return uuid5(_NAMESPACE, "\x1f".join((kind, *(f"{len(str(part))}:{part}" for part in parts))))
