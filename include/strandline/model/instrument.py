"""Instruments: one symbol at one venue."""

from strandline.model.exact import Money, Quantity
from strandline.model.record import Record, require
from strandline.model.venue import VenueKey


class Instrument(Record, frozen=True, kw_only=True):
    """An instrument. Market data names it by `instrument_id`; `token_contract` is the venue's own name, in its case."""

    instrument_id: int
    venue: VenueKey
    token_contract: str
    symbol: str
    lot: Quantity
    min_notional: Money

    def check(self) -> None:
        require(self.instrument_id > 0, "instrument_id must be above zero")
        require(bool(self.token_contract.strip()), "token_contract must not be empty")
        require(bool(self.lot), "a lot must be above zero")
        require(self.min_notional >= Money(0), "min_notional must not be negative")
