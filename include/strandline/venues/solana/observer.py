"""Reads Jupiter's prices, and the balances of a wallet by its public address."""

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

from strandline.model.exact import Amount, Money, Price, Ratio
from strandline.model.fill import CashCause, CashEvent
from strandline.model.mark import Mark, Quote
from strandline.venues.config import VenueConfig
from strandline.venues.solana import units
from strandline.venues.solana.addresses import USDC, token_account
from strandline.venues.solana.balances import tokens_in
from strandline.venues.solana.clients import Clients
from strandline.venues.solana.jupiter import Jupiter
from strandline.venues.solana.key import SOLANA_ONCHAIN
from strandline.venues.solana.node import Node
from strandline.venues.solana.prices import WRAPPED_SOL

HALF_SPREAD: Final = Decimal("0.0005")
"""What a small swap costs against Jupiter's price, each way; there is no order book to read it from."""
_SOURCE: Final = "jupiter"


class SolanaObserver:
    """Prices and balances."""

    def __init__(self, config: VenueConfig) -> None:
        self._clock = config.clock
        self._clients = Clients(config)

    def marks(self, tokens: Collection[str]) -> Mapping[str, Mark]:
        """Read Jupiter's prices; tokens without a price are left out."""
        prices = self._clients.run(lambda jupiter, _: jupiter.prices(sorted(tokens)))
        now = self._clock()
        return {token: Mark(price=Price(price), source=_SOURCE, observed_at=now) for token, price in prices.items()}

    def quote(self, token_contract: str) -> Quote:
        """Read Jupiter's price and add half a spread to each side."""
        price = Price(self._clients.run(lambda jupiter, _: jupiter.price(token_contract)))
        return Quote(
            token_contract=token_contract,
            bid=price.scaled(Ratio(1 - HALF_SPREAD)),
            ask=price.scaled(Ratio(1 + HALF_SPREAD)),
            observed_at=self._clock(),
        )

    def opening(self, address: str) -> tuple[CashEvent, ...]:
        """Read USDC and SOL, to open the ledger with. Tokens that are in the wallet already belong to no position."""

        async def read(jupiter: Jupiter, node: Node) -> tuple[int, int, Price]:
            own, usdc = await node.accounts([address, token_account(address, USDC)])
            sol_price = Price(await jupiter.price(WRAPPED_SOL))
            return 0 if own is None else own.lamports, tokens_in(usdc), sol_price

        lamports, usdc, sol_price = self._clients.run(read)
        sol = units.sol(lamports)
        dollars = units.dollars(usdc)
        now = self._clock()
        found = (("USDC", Amount(dollars.decimal), dollars), ("SOL", sol, sol.at(sol_price)))
        return tuple(_deposit(address, *one, now) for one in found if one[1])

    def cash_events(self, address: str, since: datetime) -> tuple[CashEvent, ...]:
        """Return no events: a chain lists transactions, but not which of them were deposits.

        Reconciliation reports what a person moved in or out.
        """
        del address, since
        return ()

    def close(self) -> None:
        """Close connections."""
        self._clients.close()


def _deposit(address: str, asset: str, amount: Amount, usd: Money, ts: datetime) -> CashEvent:
    return CashEvent(
        venue=SOLANA_ONCHAIN,
        venue_event_id=f"opening:{address}:{asset}",
        cause=CashCause.DEPOSIT,
        asset=asset,
        amount=amount,
        usd=usd,
        ts=ts,
    )
