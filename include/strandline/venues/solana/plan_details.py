"""The details that a plan carries for Solana."""

from collections.abc import Mapping
from typing import NamedTuple, Self

from strandline.model.exact import Price


class PlanDetails(NamedTuple):
    """Amounts are raw. `reference_price` is the decision's, `sol_price` that of SOL at the time of planning."""

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
        """Convert to text, as plans store it."""
        return {name: str(value) for name, value in self._asdict().items()}

    @classmethod
    def of(cls, details: Mapping[str, str]) -> Self:
        """Convert back from text."""
        return cls(**{name: kind(details[name]) for name, kind in cls.__annotations__.items()})
