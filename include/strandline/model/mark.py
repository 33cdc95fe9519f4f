"""Prices with their source: what something is valued at, and what one could trade at right now."""

from datetime import datetime

from strandline.model.exact import Price
from strandline.model.record import Record, require


class Mark(Record, frozen=True, kw_only=True):
    """A price, where it came from, and when it was true: the end of the bar, or when the venue was asked."""

    price: Price
    source: str
    observed_at: datetime


class Quote(Record, frozen=True, kw_only=True):
    """The best prices to sell and to buy at, for a small amount."""

    token_contract: str
    bid: Price
    ask: Price
    observed_at: datetime

    def check(self) -> None:
        require(self.bid <= self.ask, "bid is above ask")
