"""Matches clients' orders with each other and with the market's book, best price first."""

from collections import defaultdict
from decimal import Decimal
from typing import NamedTuple

from strandline.model.side import Side
from strandline_sim.hyperliquid.account import Account, Liquidation
from strandline_sim.hyperliquid.ledger import Ledger
from strandline_sim.hyperliquid.liquidity import Liquidity
from strandline_sim.hyperliquid.margin import Margins
from strandline_sim.hyperliquid.numbers import ZERO
from strandline_sim.hyperliquid.orders import Order, Status
from strandline_sim.hyperliquid.resting import RestingBook
from strandline_sim.hyperliquid.rules import Rules
from strandline_sim.market.trades import Trade


class Bbo(NamedTuple):
    """The best bid and offer of the whole book."""

    bid: Decimal | None
    ask: Decimal | None


class Matcher:
    """Fills orders, puts them into the book, and ends them."""

    def __init__(self, ledger: Ledger, liquidity: Liquidity, margins: Margins, rules: Rules) -> None:
        self.books: dict[str, RestingBook] = defaultdict(RestingBook)
        self._ledger = ledger
        self._liquidity = liquidity
        self._margins = margins
        self._rules = rules

    def bbo(self, coin: str) -> Bbo:
        """Return the best prices of the market and of clients."""
        return Bbo(self._best_px(coin, is_bid=True), self._best_px(coin, is_bid=False))

    def take(self, order: Order, at_most: Decimal, liquidation: Liquidation | None = None) -> None:
        """Fill an order against all crossing offers, up to a size."""
        left = min(at_most, order.remaining)
        while left > 0 and order.is_open:
            traded = self._trade_once(order, left, liquidation)
            if traded is None:
                break
            left -= traded

    def rest(self, order: Order) -> None:
        """Put the rest of an order into the book."""
        self.books[order.coin].add(order)

    def end(self, order: Order, status: Status) -> None:
        """End an order: release or cancel its children, and cancel its siblings."""
        self.books[order.coin].remove(order)
        self._ledger.set_status(order, status)
        orders = self._ledger.accounts[order.owner].orders
        for child in (orders[oid] for oid in order.children):
            if child.is_open and child.parent == order.oid:
                self._release(child, order)
            elif child.is_open and status is Status.FILLED:
                self.end(child, Status.SIBLING_FILLED_CANCELED)

    def fill_from_trade(self, coin: str, trade: Trade) -> None:
        """Fill the resting orders that a trade of the market passes through."""
        left = trade.size
        for order in self.books[coin].within(trade.side is Side.SELL, trade.price):
            size = min(left, self._available_size(order))
            if size > 0:
                self._fill(order, order.spec.px, size, self._ledger.new_tid(), crossed=False)
                left -= size
            if not left:
                break

    def sweep(self, coin: str) -> None:
        """Fill the resting orders that the market's book now crosses."""
        mark = self._liquidity.mark(coin, self._ledger.now)
        for is_buy in (True, False):
            while (order := self.books[coin].best(is_buy)) is not None and order.crosses(mark):
                level = self._liquidity.best(coin, self._ledger.now, is_bid=not is_buy)
                if level is None or not order.crosses(level.price):
                    break
                size = min(level.size, self._available_size(order))
                if size > 0:
                    self._liquidity.take(coin, level.price, size, is_bid=not is_buy)
                    self._fill(order, order.spec.px, size, self._ledger.new_tid(), crossed=False)

    def cap_reduce_only(self, account: Account, coin: str) -> None:
        """Cancel reduce-only orders that could increase the position, alone or together."""
        held = account.size_of(coin)
        closing = [
            o for o in account.open_orders.values() if o.coin == coin and o.spec.reduce_only and o.parent is None
        ]
        total = ZERO
        for order in reversed(closing):
            is_wrong = not held or (held > 0) is order.spec.is_buy
            is_too_much = order.rests and total > 0 and total + order.remaining > abs(held)
            if order.is_open and (is_wrong or is_too_much):
                self.end(order, Status.REDUCE_ONLY_CANCELED)
            elif order.rests:
                total += order.remaining

    def _trade_once(self, order: Order, left: Decimal, liquidation: Liquidation | None) -> Decimal | None:
        """Trade once with the best offer; return the size, zero if the offer was cancelled, None if there is none."""
        coin, is_buy = order.coin, order.spec.is_buy
        maker = self.books[coin].best(not is_buy)
        level = self._liquidity.best(coin, self._ledger.now, is_bid=not is_buy)
        if maker is not None and level is not None and not maker.crosses(level.price):
            maker = None  # the market has a better price
        px = maker.spec.px if maker else level.price if level else None
        if px is None or not order.crosses(px):
            return None
        if maker is None:
            assert level is not None  # noqa: S101  px is the level's
            size = min(left, level.size)
            self._liquidity.take(coin, px, size, is_bid=not is_buy)
            self._fill(order, px, size, self._ledger.new_tid(), crossed=True, liquidation=liquidation)
            return size
        if maker.owner == order.owner:
            self.end(maker, Status.SELF_TRADE_CANCELED)
            return ZERO
        size = min(left, self._available_size(maker))
        if size > 0:
            tid = self._ledger.new_tid()
            self._fill(order, px, size, tid, crossed=True, liquidation=liquidation)
            self._fill(maker, px, size, tid, crossed=False)
        return size

    def _available_size(self, maker: Order) -> Decimal:
        """Return the size that a resting order can trade; cancel it if there is none."""
        if not maker.rests:
            return ZERO
        account = self._ledger.accounts[maker.owner]
        held = account.size_of(maker.coin)
        closes = held * (1 if maker.spec.is_buy else -1) < 0
        if maker.spec.reduce_only:
            if not closes:
                self.end(maker, Status.REDUCE_ONLY_CANCELED)
                return ZERO
            return min(maker.remaining, abs(held))
        if not closes and self._margins.available(account) < 0:
            self.end(maker, Status.MARGIN_CANCELED)
            return ZERO
        return maker.remaining

    def _fill(
        self, order: Order, px: Decimal, size: Decimal, tid: int, *, crossed: bool,
        liquidation: Liquidation | None = None,
    ) -> None:  # fmt: skip
        account = self._ledger.accounts[order.owner]
        rate = self._rules.taker_fee if crossed else self._rules.maker_fee
        leverage = self._margins.leverage(account, order.coin)
        self._ledger.fill(
            order, px, size, rate, leverage, tid, crossed=crossed, liquidation=liquidation
        )  # fmt: skip
        if not order.remaining:
            self.end(order, Status.FILLED)
        self.cap_reduce_only(account, order.coin)

    def _release(self, child: Order, parent: Order) -> None:
        """Release a child order up to its parent's filled size, or cancel it."""
        if not parent.filled:
            self.end(child, Status.CANCELED)
            return
        child.parent = None
        child.size = min(child.size, parent.filled)

    def _best_px(self, coin: str, *, is_bid: bool) -> Decimal | None:
        maker = self.books[coin].best(is_bid)
        level = self._liquidity.best(coin, self._ledger.now, is_bid=is_bid)
        prices = [] if maker is None else [maker.spec.px]
        prices += [] if level is None else [level.price]
        if not prices:
            return None
        return max(prices) if is_bid else min(prices)
