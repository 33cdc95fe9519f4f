"""What the venue charges and insists on; where its documentation leaves a choice, the choice."""

from decimal import Decimal

from strandline.model.record import Record, require


class Rules(Record, frozen=True, kw_only=True):
    """The defaults are the venue's."""

    taker_fee: Decimal = Decimal("0.00045")
    maker_fee: Decimal = Decimal("0.00015")
    beat_ms: int = 500
    """How long book and mark stand still."""
    unique_cloids: bool = False
    """The venue takes a cloid again and again; refuse it, to see who relies on that."""
    schedule_cancel_volume: Decimal = Decimal(0)
    """What must have been traded before a scheduled cancel is taken; the live venue asks for 1,000,000."""
    partial_answers_filled: bool = False
    """A Gtc order that is partly filled and rests is answered as `filled` instead of `resting`."""

    def check(self) -> None:
        require(self.beat_ms > 0, "beat_ms must be above zero")
        require(self.taker_fee >= 0, "taker_fee must not be negative")
