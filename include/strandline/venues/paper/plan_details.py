"""What a paper order's fill depends on, as the plan carries it in its details."""

from collections.abc import Mapping
from typing import NamedTuple, Self

from strandline.model.exact import Price


class PlanDetails(NamedTuple):
    """The price that was decided on, and the quote when the order was planned."""

    reference_price: Price
    bid: Price
    ask: Price

    def details(self) -> dict[str, str]:
        """Convert to the text values that a plan carries."""
        return {name: str(price) for name, price in self._asdict().items()}

    @classmethod
    def of(cls, details: Mapping[str, str]) -> Self:
        """Read them from a plan."""
        return cls(**{name: Price(details[name]) for name in cls._fields})
