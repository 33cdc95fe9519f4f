"""What must hold of every account, whatever its client does."""

from collections import defaultdict
from decimal import Decimal

from strandline_sim.hyperliquid.account import Account
from strandline_sim.hyperliquid.exchange import Exchange
from strandline_sim.hyperliquid.numbers import ZERO
from strandline_sim.tape import Tape

CASH = {"deposit", "backstop", "funding"}


class TapeBalances:
    """The accounts according to the tape."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._read = 0
        self.cash: dict[str, Decimal] = defaultdict(Decimal)
        self.realised: dict[str, Decimal] = defaultdict(Decimal)
        self.sizes: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self.traded: dict[int, Decimal] = defaultdict(Decimal)
        self._reducing: set[int] = set()

    def read(self) -> None:
        """Read on in the tape."""
        for entry in self._tape.entries(after=self._read):
            self._read = entry.number
            who, data = entry.data["account"], entry.data
            if entry.kind == "order_accepted" and data["reduceOnly"]:
                self._reducing.add(data["oid"])
            if entry.kind == "fill":
                signed = Decimal(data["sz"]) * (1 if data["side"] == "B" else -1)
                self.cash[who] -= signed * Decimal(data["px"]) + Decimal(data["fee"])
                self.realised[who] += Decimal(data["closedPnl"]) - Decimal(data["fee"])
                assert Decimal(data["startPosition"]) == self.sizes[who, data["coin"]]
                before = self.sizes[who, data["coin"]]
                self.sizes[who, data["coin"]] = before + signed
                # A reduce-only order reduces, and never turns a position round.
                assert data["oid"] not in self._reducing or (before * signed < 0 and abs(signed) <= abs(before)), entry
                self.traded[data["oid"]] += Decimal(data["sz"])
            elif entry.kind in CASH:
                self.cash[who] += Decimal(data["usdc"])
                self.realised[who] += Decimal(data["usdc"])
            if "balance" in data:
                assert Decimal(data["balance"]) == self.cash[who], entry


def check(exchange: Exchange, tape: TapeBalances, account: Account) -> None:
    """Assert that the account equals the tape, and that its margins follow from its positions."""
    held = {coin: position for coin, position in account.positions.items() if position.size}
    assert account.balance == tape.cash[account.address]
    assert account.balance == tape.realised[account.address] - sum(p.cost for p in account.positions.values())
    for coin, position in account.positions.items():
        assert position.size == tape.sizes[account.address, coin]
        assert position.size or (position.cost == 0 and position.isolated is None)
        assert position.isolated is None or not exchange.margins.leverage(account, coin).is_cross
    for order in account.orders.values():
        assert order.filled == tape.traded[order.oid] <= order.size
        assert order.is_open == (order.oid in account.open_orders)
        assert order.is_open or order.oid not in {resting.oid for resting in exchange.matcher.books[order.coin]}
    total, cross = (exchange.margins.summary(account, cross_only=only) for only in (False, True))
    value = account.balance + sum(p.size * exchange.mark(coin) for coin, p in held.items())
    assert total.account_value == value
    isolated = sum(exchange.margins.equity(coin, p) for coin, p in held.items() if p.isolated is not None)
    assert total.account_value == cross.account_value + isolated
    assert total.notional == sum(abs(p.size) * exchange.mark(coin) for coin, p in held.items())
    assert 0 <= exchange.margins.withdrawable(account) <= max(cross.account_value, ZERO)
    reducing = [order for order in account.open_orders.values() if order.spec.reduce_only and order.rests]
    assert all(account.size_of(o.coin) * (1 if o.spec.is_buy else -1) < 0 for o in reducing)
