"""What a venue says that something is worth now."""

from datetime import datetime

from strandline.model.exact import Price
from strandline.model.record import Record, require


class Mark(Record, frozen=True, kw_only=True):
    """The price that the venue itself values a position at."""

    token_contract: str
    price: Price
    source: str
    observed_at: datetime


class Quote(Record, frozen=True, kw_only=True):
    """What one would get and pay right now for a little."""

    token_contract: str
    bid: Price
    ask: Price
    observed_at: datetime

    def check(self) -> None:
        require(self.bid <= self.ask, "bid is above ask")
