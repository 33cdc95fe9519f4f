"""Reads Bazaar's prices. Balances need a signed request there, so accounts are read on paper only."""

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

from strandline.model.errors import StrandlineError
from strandline.model.exact import Price, Ratio
from strandline.model.fill import CashEvent
from strandline.model.mark import Mark, Quote
from strandline.venues.config import VenueConfig
from tests.example_venue.bazaar.prices import TOKENS, price
from tests.example_venue.bazaar.settings import URL

_SOURCE: Final = "bazaar"
_HALF_SPREAD: Final = Decimal("0.0008")


class BazaarObserver:
    """Prices."""

    def __init__(self, config: VenueConfig) -> None:
        self._url = config.require(URL.name)
        self._clock = config.clock

    def marks(self, tokens: Collection[str]) -> Mapping[str, Mark]:
        """The last price of each token that is listed."""
        now = self._clock()
        return {
            token: Mark(price=Price(price(token, now)), source=_SOURCE, observed_at=now)
            for token in sorted(tokens)
            if token in TOKENS
        }

    def quote(self, token_contract: str) -> Quote:
        """The top of the book."""
        now = self._clock()
        middle = Price(price(token_contract, now))
        return Quote(
            token_contract=token_contract,
            bid=middle.scaled(Ratio(1 - _HALF_SPREAD)),
            ask=middle.scaled(Ratio(1 + _HALF_SPREAD)),
            observed_at=now,
        )

    def opening(self, address: str) -> tuple[CashEvent, ...]:
        """Not on paper."""
        raise StrandlineError(f"the balances of {address} cannot be read", "set STRANDLINE_MODE to paper")

    def cash_events(self, address: str, since: datetime) -> tuple[CashEvent, ...]:
        """Not on paper."""
        raise StrandlineError(f"the balances of {address} cannot be read", "set STRANDLINE_MODE to paper")

    def close(self) -> None:
        """Close connections; there are none."""
