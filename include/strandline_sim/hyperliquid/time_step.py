"""Advances time: market trades, book updates, triggers, funding, liquidations, scheduled cancels."""

from collections.abc import Iterator
from typing import Final

from strandline_sim.hyperliquid import order_checks
from strandline_sim.hyperliquid.account import Account
from strandline_sim.hyperliquid.ledger import Ledger
from strandline_sim.hyperliquid.liquidation import Liquidator
from strandline_sim.hyperliquid.liquidity import Liquidity
from strandline_sim.hyperliquid.margin import Margins
from strandline_sim.hyperliquid.market import MarketData
from strandline_sim.hyperliquid.matching import Matcher
from strandline_sim.hyperliquid.orders import Order, Status
from strandline_sim.hyperliquid.rules import Rules

HOUR: Final = 3_600_000
DAY: Final = 24 * HOUR
FUNDING_LAG: Final = 15
"""The milliseconds after the hour at which the venue pays funding."""

_CANCELED: Final = {
    Status.REDUCE_ONLY_REJECTED: Status.REDUCE_ONLY_CANCELED,
    Status.MARGIN_REJECTED: Status.MARGIN_CANCELED,
}
"""How an order ends that may not trade when its trigger fires; what waits was accepted, so it cannot be rejected."""


class TimeStep:
    """Advances the ledger's time and executes everything that falls due, in order."""

    def __init__(
        self, ledger: Ledger, market: MarketData, liquidity: Liquidity, margins: Margins, matcher: Matcher,
        liquidator: Liquidator, rules: Rules,
    ) -> None:  # fmt: skip
        self._ledger = ledger
        self._market = market
        self._liquidity = liquidity
        self._margins = margins
        self._matcher = matcher
        self._liquidator = liquidator
        self._rules = rules
        self._update_ms = rules.update_ms

    def advance(self, to: int) -> None:
        """Advance up to and including this instant; do nothing if it has passed."""
        while self._ledger.now < to:
            end = min(to, self._next_event())
            self._market_trades(self._ledger.now, end)
            self._ledger.now = end
            if end % HOUR == FUNDING_LAG:
                self._fund(end - FUNDING_LAG)
            self._scheduled_cancels()
            if end % self._update_ms == 0:
                self._update_book()

    def _next_event(self) -> int:
        """Return the next instant at which something may be due."""
        now = self._ledger.now
        accounts = self._ledger.accounts.values()
        due = [account.cancel_all_at for account in accounts if account.cancel_all_at is not None]
        due.append((now - FUNDING_LAG) // HOUR * HOUR + HOUR + FUNDING_LAG)
        if any(account.open_orders or any(p.size for p in account.positions.values()) for account in accounts):
            due.append(now - now % self._update_ms + self._update_ms)
        return min(instant for instant in due if instant > now)

    def _market_trades(self, start: int, end: int) -> None:
        coins = sorted(coin for coin, book in self._matcher.books.items() if book)
        trades = [(trade.time, coin, trade) for coin in coins for trade in self._market.trades(coin, start, end)]
        for time, coin, trade in sorted(trades, key=lambda item: item[:2]):
            self._ledger.now = time
            self._matcher.fill_from_trade(coin, trade)

    def _update_book(self) -> None:
        for coin in sorted(coin for coin, book in self._matcher.books.items() if book):
            self._matcher.sweep(coin)
        for order in list(self._pending_triggers()):
            mark = self._liquidity.mark(order.coin, self._ledger.now)
            if (
                order.is_open
                and order.spec.trigger is not None
                and order.spec.trigger.fires_at(mark, order.spec.is_buy)
            ):
                self._fire_trigger(order)
        for account in self._ledger.accounts.values():
            self._liquidator.liquidate_if_due(account)

    def _pending_triggers(self) -> Iterator[Order]:
        for account in self._ledger.accounts.values():
            for order in account.open_orders.values():
                if order.awaits_trigger and order.parent is None:
                    yield order

    def _fire_trigger(self, order: Order) -> None:
        account = self._ledger.accounts[order.owner]
        held = abs(account.size_of(order.coin))
        if order.whole_position:
            order.size = held
        elif order.spec.reduce_only:
            order.size = min(order.size, held)
        refusal = order_checks.trade_refusal(order, account, self._margins, self._rules)
        order.awaits_trigger = False
        self._ledger.set_status(order, Status.TRIGGERED)
        if refusal is not None:
            self._matcher.end(order, _CANCELED[refusal.status])
            return
        self._matcher.take(order, order.size)
        if not order.is_open:
            return
        if order.spec.trigger is not None and order.spec.trigger.is_market:
            self._matcher.end(order, Status.CANCELED)
        else:
            self._matcher.rest(order)

    def _fund(self, hour: int) -> None:
        for account in self._ledger.accounts.values():
            for coin in sorted(coin for coin, position in account.positions.items() if position.size):
                oracle = self._market.oracle(coin, hour)
                self._ledger.pay_funding(account, coin, oracle, self._market.funding_rate(coin, hour))

    def _scheduled_cancels(self) -> None:
        for account in self._ledger.accounts.values():
            if account.cancel_all_at is not None and account.cancel_all_at <= self._ledger.now:
                account.cancel_all_at = None
                self._cancel_all(account)

    def _cancel_all(self, account: Account) -> None:
        day = self._ledger.now // DAY
        account.cancel_all_fired[day] = account.cancel_all_fired.get(day, 0) + 1
        for order in list(account.open_orders.values()):
            if order.is_open:
                self._matcher.end(order, Status.SCHEDULED_CANCEL)


def funding_instants(start: int, end: int) -> Iterator[int]:
    """Yield the hours whose funding is paid in [start, end]."""
    first = -(-(start - FUNDING_LAG) // HOUR) * HOUR
    yield from range(first, end - FUNDING_LAG + 1, HOUR)
