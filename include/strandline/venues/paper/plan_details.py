"""What a paper order was made from, as the plan carries it in its details: all that its fill depends on."""

from collections.abc import Mapping
from typing import NamedTuple, Self

from strandline.model.exact import Price


class PlanDetails(NamedTuple):
    """The decision's price, and the top of the venue's book when this was planned."""

    reference_price: Price
    bid: Price
    ask: Price

    def details(self) -> dict[str, str]:
        """As text."""
        return {name: str(price) for name, price in self._asdict().items()}

    @classmethod
    def of(cls, details: Mapping[str, str]) -> Self:
        """As they were."""
        return cls(**{name: Price(details[name]) for name in cls._fields})
