"""Reads a venue's real prices; the account is simulated."""

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
    """The venue's prices, and an account with the configured cash."""

    def __init__(self, venue: VenueKey, config: VenueConfig, observer: Observer) -> None:
        self._venue = venue
        self._config = config
        self._observer = observer

    def marks(self, tokens: Collection[str]) -> Mapping[str, Mark]:
        """Read the venue's marks."""
        return self._observer.marks(tokens)

    def quote(self, token_contract: str) -> Quote:
        """Read the venue's quote."""
        return self._observer.quote(token_contract)

    def opening(self, address: str) -> tuple[CashEvent, ...]:
        """Return a deposit of the configured cash."""
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
        """Return no events: a paper account has no deposits and pays no funding."""
        del address, since
        return ()

    def close(self) -> None:
        """Close connections."""
        self._observer.close()
