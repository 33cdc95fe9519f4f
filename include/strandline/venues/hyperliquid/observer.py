"""Reads prices and the cash events of an account, by public address."""

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

from strandline.model.errors import StrandlineError
from strandline.model.exact import Price
from strandline.model.fill import CashCause, CashEvent
from strandline.model.mark import Mark, Quote
from strandline.venues.config import VenueConfig
from strandline.venues.hyperliquid.cash import cash_event, funding, transfer
from strandline.venues.hyperliquid.responses import Account, Book, FundingRow, LedgerRow, Market
from strandline.venues.hyperliquid.rest import HyperliquidError, Rest
from strandline.venues.hyperliquid.settings import URL
from strandline.venues.hyperliquid.timeouts import Timeouts
from strandline.venues.hyperliquid.wire import instant, milliseconds

_SOURCE: Final = "hyperliquid"
_PAGE_SIZE: Final = 500


class HyperliquidObserver:
    """Prices and accounts."""

    def __init__(self, config: VenueConfig, timeouts: Timeouts | None = None) -> None:
        self._clock = config.clock
        self._rest = Rest(config.require(URL.name), timeouts or Timeouts())

    def marks(self, tokens: Collection[str]) -> Mapping[str, Mark]:
        """Read mark prices, at which positions are margined and liquidated."""
        market = self._rest.request(Market, type="metaAndAssetCtxs")
        now = self._clock()
        return {
            asset.name: Mark(price=Price(context.mark_px), source=_SOURCE, observed_at=now)
            for asset, context in zip(market.meta.universe, market.contexts, strict=True)
            if asset.name in tokens and Decimal(context.mark_px)
        }

    def quote(self, token_contract: str) -> Quote:
        """Read the top of the book."""
        book = self._rest.request(Book, type="l2Book", coin=token_contract)
        bids, asks = book.levels
        if not bids or not asks:
            raise HyperliquidError(f"a side of the book of {token_contract} is empty")
        return Quote(
            token_contract=token_contract,
            bid=Price(bids[0].px),
            ask=Price(asks[0].px),
            observed_at=instant(book.time),
        )

    def opening(self, address: str) -> tuple[CashEvent, ...]:
        """Read the cash to open the ledger with; raise if the account holds positions already."""
        account = self._rest.request(Account, type="clearinghouseState", user=address)
        held = ", ".join(f"{one.position.szi} {one.position.coin}" for one in account.asset_positions)
        if held:
            raise StrandlineError(
                f"the Hyperliquid account {address} holds {held}, which the ledger does not know",
                "close these positions, or use an account of its own",
            )
        value = Decimal(account.margin_summary.account_value)
        return (cash_event(f"opening:{address}", CashCause.DEPOSIT, value, account.time),) if value else ()

    def cash_events(self, address: str, since: datetime) -> tuple[CashEvent, ...]:
        """Read funding, deposits, withdrawals and transfers since then."""
        start = milliseconds(since)
        paid = self._rest.request_since(list[FundingRow], start, _PAGE_SIZE, type="userFunding", user=address)
        moved = self._rest.request_since(
            list[LedgerRow], start, _PAGE_SIZE, type="userNonFundingLedgerUpdates", user=address
        )
        events = [*(funding(address, row) for row in paid), *(transfer(address, row) for row in moved)]
        return tuple(event for event in events if event is not None)

    def close(self) -> None:
        """Close connections."""
        self._rest.close()
