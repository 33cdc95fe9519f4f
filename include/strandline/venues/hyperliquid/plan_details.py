"""The details that a plan carries for Hyperliquid."""

from collections.abc import Mapping
from typing import NamedTuple, Self

from strandline.model.exact import Price


class PlanDetails(NamedTuple):
    """`reference_price` is the decision's, `venue_price` the venue's at the time of planning. Exits set no leverage."""

    asset: int
    reference_price: Price
    venue_price: Price
    leverage: int | None

    def details(self) -> dict[str, str]:
        """Convert to text, as plans store it."""
        return {name: str(value) for name, value in self._asdict().items() if value is not None}

    @classmethod
    def of(cls, details: Mapping[str, str]) -> Self:
        """Convert back from text."""
        leverage = details.get("leverage")
        return cls(
            asset=int(details["asset"]),
            reference_price=Price(details["reference_price"]),
            venue_price=Price(details["venue_price"]),
            leverage=None if leverage is None else int(leverage),
        )
