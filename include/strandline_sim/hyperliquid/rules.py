"""The venue's fees and rules; where its documentation leaves a choice, an option."""

from decimal import Decimal

from strandline.model.record import Record, require


class Rules(Record, frozen=True, kw_only=True):
    """Fees and rules, by default the venue's."""

    taker_fee: Decimal = Decimal("0.00045")
    maker_fee: Decimal = Decimal("0.00015")
    update_ms: int = 500
    """The time between updates of book and mark."""
    unique_cloids: bool = False
    """Whether to refuse a cloid that was used before, which the venue accepts."""
    schedule_cancel_volume: Decimal = Decimal(0)
    """The volume that a scheduled cancel requires; 1,000,000 at the live venue."""
    partial_answers_filled: bool = False
    """Whether the response to a partly filled Gtc order is `filled` instead of `resting`."""

    def check(self) -> None:
        require(self.update_ms > 0, "update_ms must be above zero")
        require(self.taker_fee >= 0, "taker_fee must not be negative")
