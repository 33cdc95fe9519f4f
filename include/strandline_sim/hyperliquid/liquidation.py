"""Liquidates positions: first against the book, then by the backstop, which takes them over."""

from decimal import Decimal
from typing import Final

from strandline_sim.hyperliquid.account import Account, Liquidation, Position
from strandline_sim.hyperliquid.ledger import Ledger
from strandline_sim.hyperliquid.liquidity import Liquidity
from strandline_sim.hyperliquid.margin import Margins
from strandline_sim.hyperliquid.market import Listing
from strandline_sim.hyperliquid.matching import Matcher
from strandline_sim.hyperliquid.numbers import ZERO, to_size, wire
from strandline_sim.hyperliquid.orders import Order, OrderSpec, Status, Tif

_LARGE: Final = Decimal(100_000)
_LARGE_SHARE: Final = Decimal("0.2")
_COOLDOWN_MS: Final = 30_000
_BACKSTOP: Final = Decimal(2) / 3


class Liquidator:
    """Liquidates accounts below their maintenance margin."""

    def __init__(
        self, ledger: Ledger, liquidity: Liquidity, margins: Margins, matcher: Matcher, listings: dict[str, Listing]
    ) -> None:
        self._ledger = ledger
        self._liquidity = liquidity
        self._margins = margins
        self._matcher = matcher
        self._listings = listings
        self._ids = {listing.name: asset for asset, listing in enumerate(listings.values())}

    def liquidate_if_due(self, account: Account) -> None:
        """Liquidate the positions that are below their maintenance margin."""
        for coin in sorted(account.positions):
            position = account.positions[coin]
            if position.size and position.isolated is not None:
                self._check(
                    account, [coin], self._margins.equity(coin, position), self._margins.maintenance(coin, position)
                )
        cross = sorted(coin for coin, p in account.positions.items() if p.size and p.isolated is None)
        if cross:
            value = self._margins.summary(account, cross_only=True).account_value
            self._check(account, cross, value, self._margins.cross_maintenance(account))
        elif account.cash < 0:
            self._ledger.transfer(account, -account.cash, "backstop")  # no account stays in debt

    def _check(self, account: Account, coins: list[str], value: Decimal, maintenance: Decimal) -> None:
        if value >= maintenance:
            return
        if all(self._in_cooldown(account.positions[coin]) for coin in coins) and value >= maintenance * _BACKSTOP:
            return
        notional = sum((abs(self._margins.value(coin, account.positions[coin])) for coin in coins), ZERO)
        self._ledger.note(
            "liquidation", account.address, coins=coins, accountValue=wire(value), maintenance=wire(maintenance),
            notional=wire(notional), method="backstop" if value < maintenance * _BACKSTOP else "market",
        )  # fmt: skip
        self._ledger.start_liquidation(account, coins, notional, value)
        isolated = account.positions[coins[0]].isolated is not None
        for order in list(account.open_orders.values()):
            if order.is_open and (order.coin in coins or not isolated):
                self._matcher.end(order, Status.LIQUIDATED_CANCELED)
        if value >= maintenance * _BACKSTOP:
            for coin in coins:
                self._close_in_book(account, coin)
        else:
            self._take_over(account, coins)

    def _in_cooldown(self, position: Position) -> bool:
        """Whether a part was liquidated within the cooldown."""
        return position.liquidated_at is not None and self._ledger.now < position.liquidated_at + _COOLDOWN_MS

    def _close_in_book(self, account: Account, coin: str) -> None:
        """Close a position against the book; a large one in parts."""
        position = account.positions[coin]
        if self._in_cooldown(position):
            return
        mark = self._liquidity.mark(coin, self._ledger.now)
        size = abs(position.size)
        if size * mark > _LARGE:
            size = max(to_size(size * _LARGE_SHARE, self._listings[coin].sz_decimals), ZERO)
            position.liquidated_at = self._ledger.now
        order = self._order(account, coin, size, mark)
        self._matcher.take(order, size, Liquidation(mark, "market"))
        if order.is_open:
            self._matcher.end(order, Status.CANCELED)

    def _take_over(self, account: Account, coins: list[str]) -> None:
        """Transfer positions and their remaining margin, or deficit, to the liquidator."""
        isolated = account.positions[coins[0]].isolated is not None
        equity = ZERO
        for coin in coins:
            mark = self._liquidity.mark(coin, self._ledger.now)
            position = account.positions[coin]
            if isolated:
                equity += self._margins.equity(coin, position)
            order = self._order(account, coin, abs(position.size), mark)
            self._ledger.fill(
                order, mark, order.size, ZERO, self._margins.leverage(account, coin), self._ledger.new_tid(),
                crossed=True, liquidation=Liquidation(mark, "backstop"),
            )  # fmt: skip
            self._matcher.end(order, Status.FILLED)
        taken = equity if isolated else account.cash
        self._ledger.transfer(account, -taken, "backstop")

    def _order(self, account: Account, coin: str, size: Decimal, mark: Decimal) -> Order:
        is_buy = account.positions[coin].size < 0
        px = mark * 5 if is_buy else mark / 5
        order = self._ledger.open(
            account, coin, OrderSpec(self._ids[coin], is_buy, px, size, tif=Tif.LIQUIDATION_MARKET)
        )
        self._ledger.accept(order)
        return order
