"""What an order was made from, as the plan carries it in its details."""

from collections.abc import Mapping
from typing import NamedTuple, Self

from strandline.model.exact import Price


class PlanDetails(NamedTuple):
    """`reference_price` is the decision's, `price_then` the venue's when this was planned. Exits set no leverage."""

    asset: int
    reference_price: Price
    price_then: Price
    leverage: int | None

    def details(self) -> dict[str, str]:
        """As text."""
        return {name: str(value) for name, value in self._asdict().items() if value is not None}

    @classmethod
    def of(cls, details: Mapping[str, str]) -> Self:
        """As they were."""
        leverage = details.get("leverage")
        return cls(
            asset=int(details["asset"]),
            reference_price=Price(details["reference_price"]),
            price_then=Price(details["price_then"]),
            leverage=None if leverage is None else int(leverage),
        )
