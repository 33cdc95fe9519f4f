"""Computes account values, margin requirements and liquidation prices."""

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from strandline_sim.hyperliquid.account import Account, Leverage, Position
from strandline_sim.hyperliquid.market import Listing
from strandline_sim.hyperliquid.numbers import ZERO

Mark = Callable[[str], Decimal]


class Summary(NamedTuple):
    """The venue's margin summary."""

    account_value: Decimal
    notional: Decimal
    raw_usd: Decimal
    margin_used: Decimal


class Margins:
    """Margin arithmetic with the listings and the current marks."""

    def __init__(self, listings: dict[str, Listing], mark: Mark) -> None:
        self._listings = listings
        self.mark = mark

    def leverage(self, account: Account, coin: str) -> Leverage:
        """Return the account's leverage setting of the coin."""
        return account.leverage_of(coin, self._listings[coin].max_leverage)

    def max_leverage(self, coin: str) -> int:
        """Return the coin's maximum leverage."""
        return self._listings[coin].max_leverage

    def value(self, coin: str, position: Position) -> Decimal:
        """Return the position's signed notional at mark."""
        return position.size * self.mark(coin)

    def equity(self, coin: str, position: Position) -> Decimal:
        """Return the equity of an isolated position."""
        return (position.isolated or ZERO) + self.value(coin, position)

    def used(self, account: Account, coin: str, position: Position) -> Decimal:
        """Return the margin used: the initial margin, or all equity of an isolated position."""
        if position.isolated is not None:
            return self.equity(coin, position)
        return abs(self.value(coin, position)) / self.leverage(account, coin).value

    def maintenance(self, coin: str, position: Position) -> Decimal:
        """Return the maintenance margin: half of the initial margin at the maximum leverage."""
        return abs(self.value(coin, position)) / (2 * self._listings[coin].max_leverage)

    def summary(self, account: Account, *, cross_only: bool) -> Summary:
        """Sum up all positions, or the cross ones."""
        cash = account.cash if cross_only else account.balance
        value, notional, used = cash, ZERO, ZERO
        for coin, position in account.positions.items():
            if position.size and (position.isolated is None or not cross_only):
                worth = self.value(coin, position)
                value += worth
                notional += abs(worth)
                used += self.used(account, coin, position)
        return Summary(value, notional, cash, used)

    def cross_maintenance(self, account: Account) -> Decimal:
        """Return the maintenance margin of all cross positions."""
        return sum(
            (self.maintenance(coin, p) for coin, p in account.positions.items() if p.size and p.isolated is None), ZERO
        )

    def withdrawable(self, account: Account) -> Decimal:
        """Return the withdrawable cash; at least a tenth of the notional stays."""
        cross = self.summary(account, cross_only=True)
        tied = max(cross.margin_used, cross.notional / 10) + self._orders_margin(account)
        return max(cross.account_value - tied, ZERO)

    def available(self, account: Account) -> Decimal:
        """Return the margin available for new exposure; negative if there is too little."""
        cross = self.summary(account, cross_only=True)
        return cross.account_value - cross.margin_used - self._orders_margin(account)

    def increase(self, account: Account, coin: str, is_buy: bool, size: Decimal) -> Decimal:
        """Return the additional margin of an order, given the position and the open orders."""
        buys, sells = self._open_sizes(account).get(coin, (ZERO, ZERO))
        held = account.size_of(coin)
        before = _exposure(held, buys, sells)
        after = _exposure(held, buys + size, sells) if is_buy else _exposure(held, buys, sells + size)
        return (after - before) * self.mark(coin) / self.leverage(account, coin).value

    def liquidation_px(self, account: Account, coin: str) -> Decimal | None:
        """Return the mark at which the position is liquidated, other prices unchanged; None if there is none."""
        position = account.positions[coin]
        mark = self.mark(coin)
        if position.isolated is not None:
            spare = self.equity(coin, position) - self.maintenance(coin, position)
        else:
            spare = self.summary(account, cross_only=True).account_value - self.cross_maintenance(account)
        side = 1 if position.size > 0 else -1
        rate = Decimal(1) / (2 * self._listings[coin].max_leverage)
        px = mark - side * spare / abs(position.size) / (1 - rate * side)
        return px if px > 0 else None

    def _orders_margin(self, account: Account) -> Decimal:
        total = ZERO
        for coin, (buys, sells) in self._open_sizes(account).items():
            held = account.size_of(coin)
            extra = _exposure(held, buys, sells) - abs(held)
            total += extra * self.mark(coin) / self.leverage(account, coin).value
        return total

    def _open_sizes(self, account: Account) -> dict[str, tuple[Decimal, Decimal]]:
        sizes: dict[str, tuple[Decimal, Decimal]] = {}
        for order in account.open_orders.values():
            if order.rests and not order.spec.reduce_only:
                buys, sells = sizes.get(order.coin, (ZERO, ZERO))
                if order.spec.is_buy:
                    buys += order.remaining
                else:
                    sells += order.remaining
                sizes[order.coin] = (buys, sells)
        return sizes


def _exposure(held: Decimal, buys: Decimal, sells: Decimal) -> Decimal:
    """Return the largest position that the open orders can lead to."""
    return max(abs(held), abs(held + buys), abs(held - sells))
