"""Prices with their source: marks to value by, quotes to trade at."""

from datetime import datetime

from strandline.model.exact import Price
from strandline.model.record import Record, require


class Mark(Record, frozen=True, kw_only=True):
    """A price, its source and its time: the end of the bar, or the time of the request to the venue."""

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
