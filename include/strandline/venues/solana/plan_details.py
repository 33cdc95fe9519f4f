"""A swap's terms, as the plan carries them in its details: the unsigned transaction, and what it was made from."""

from collections.abc import Mapping
from typing import NamedTuple, Self

from strandline.model.exact import Price


class PlanDetails(NamedTuple):
    """Amounts are raw. `reference_price` is the decision's; `sol_price` is what gas was worth when this was planned."""

    transaction: str
    last_valid_height: int
    input_mint: str
    output_mint: str
    token_decimals: int
    amount_in: int
    expected_out: int
    least_out: int
    reference_price: Price
    sol_price: Price

    def details(self) -> dict[str, str]:
        """As text."""
        return {name: str(value) for name, value in self._asdict().items()}

    @classmethod
    def of(cls, details: Mapping[str, str]) -> Self:
        """As they were."""
        return cls(**{name: kind(details[name]) for name, kind in cls.__annotations__.items()})
