"""Reads a venue's real prices for an account that exists on paper only."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from strandline.model.exact import Amount
from strandline.model.fill import CashCause, CashEvent
from strandline.model.mark import Mark, Quote
from strandline.model.venue import VenueKey
from strandline.venues.config import VenueConfig
from strandline.venues.executor import Observer

_USDC: Final = "USDC"


class PaperObserver:
    """The venue's prices, and cash that came from nowhere."""

    def __init__(self, venue: VenueKey, config: VenueConfig, observer: Observer) -> None:
        self._venue = venue
        self._config = config
        self._observer = observer

    def marks(self, tokens: Collection[str]) -> Mapping[str, Mark]:
        """The venue's."""
        return self._observer.marks(tokens)

    def quote(self, token_contract: str) -> Quote:
        """The venue's."""
        return self._observer.quote(token_contract)

    def opening(self, address: str) -> tuple[CashEvent, ...]:
        """What the settings say that it starts with."""
        cash = self._config.opening_cash
        if not cash:
            return ()
        deposit = CashEvent(
            venue=self._venue,
            venue_event_id=f"opening:{address}",
            cause=CashCause.DEPOSIT,
            asset=_USDC,
            amount=Amount(cash.decimal),
            usd=cash,
            ts=self._config.clock(),
        )
        return (deposit,)

    def cash_events(self, address: str, since: datetime) -> tuple[CashEvent, ...]:
        """None: nothing comes or goes, and funding is not paid on paper."""
        del address, since
        return ()

    def close(self) -> None:
        """Let go of connections."""
        self._observer.close()
