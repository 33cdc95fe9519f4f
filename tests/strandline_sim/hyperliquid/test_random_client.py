"""Clients that sign and send random requests while time passes: nothing is created, lost or lent.

HYPOTHESIS_PROFILE=long trades for longer.
"""

import asyncio
import json
import os
import random
from collections import Counter
from decimal import Decimal
from typing import Any

import eth_account
import pytest
from eth_account.signers.local import LocalAccount
from hyperliquid.utils.signing import sign_l1_action  # type: ignore[import-untyped]

from strandline_sim.faults import FaultKind, Faults, Rule
from strandline_sim.hyperliquid.account import Account
from strandline_sim.hyperliquid.limits import Limits
from strandline_sim.hyperliquid.numbers import ZERO, to_size, to_tick, wire
from strandline_sim.hyperliquid.venue import HyperliquidVenue
from strandline_sim.market.regime import Leg, Regime
from strandline_sim.tape import Tape
from tests.strandline_sim.contract.contract import Contract
from tests.strandline_sim.contract.schemas.hyperliquid import schemas
from tests.strandline_sim.hyperliquid.invariants import TapeBalances, check
from tests.strandline_sim.hyperliquid.sample_venue import START, make_market
from tests.strandline_sim.set_clock import SetClock

FILLS = 20_000 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 3_000
COMMANDS_BETWEEN_CHECKS = 10
MINUTE = 60_000
WALLETS: list[LocalAccount] = [eth_account.Account.from_key(f"0x{number:064x}") for number in range(1, 5)]
FAULTS = [
    Rule(route="hyperliquid/exchange/order", kind=FaultKind.PARTIAL_FILL, times=None, chance=0.2, value=0.3),
    Rule(route="hyperliquid/exchange/*", kind=FaultKind.CLOCK_SKEW, times=None, chance=0.1, value=400),
]


def stormy_market() -> Any:
    """All prices fall and rise by a third, hour after hour."""
    hour = 60 * MINUTE
    legs = [
        Leg(
            regime=Regime.CRASH if number % 2 == 0 else Regime.TREND_UP,
            start_ms=START + number * hour,
            end_ms=START + (number + 1) * hour,
            drift=-0.3 if number % 2 == 0 else 0.4,
        )
        for number in range(24 * 30)
    ]
    return make_market(scenario=dict.fromkeys(("BTC", "ETH", "SOL"), legs))


class RandomClients:
    """Four accounts, one of them with little money."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.clock = SetClock(START)
        self.tape = Tape()
        self.venue = HyperliquidVenue(
            stormy_market(), self.clock, self.tape, Faults(FAULTS, seed), limits=Limits.none(), nonce_window=False
        )
        self.exchange = self.venue.exchange
        self.accounts = [self._open(wallet, 1_000 if number == 0 else 20_000) for number, wallet in enumerate(WALLETS)]
        self.outcomes: Counter[str] = Counter()
        self.contract = Contract(schemas())
        self._nonce = START

    @property
    def fills(self) -> int:
        return sum(len(account.fills) for account in self.accounts)

    def _open(self, wallet: LocalAccount, usdc: int) -> Account:
        self.venue.deposit(wallet.address, Decimal(usdc))
        account = self.exchange.account(wallet.address.lower())
        assert account is not None
        return account

    def act(self) -> None:
        """Send one random request, or let time pass."""
        number = self.rng.randrange(len(WALLETS))
        account = self.accounts[number]
        act = self.rng.choice(
            [
                self.order,
                self.order,
                self.order,
                self.bracket,
                self.trigger,
                self.close,
                self.cancel,
                self.setting,
                None,
            ]
        )
        if act is None:
            self.clock.time += self.rng.choice((200, 700, 5_000, MINUTE))
            self.venue.advance()
            return
        if account.balance < 50 and not account.open_orders:
            self.venue.deposit(account.address, Decimal(1_000))
        action = act(account)
        if action is not None:
            self._send(number, account, action)

    def _send(self, number: int, account: Account, action: dict[str, Any]) -> None:
        self._nonce += 1
        signature = sign_l1_action(WALLETS[number], action, None, self._nonce, None, False)
        body = json.dumps({"action": action, "nonce": self._nonce, "signature": signature}).encode()
        before, known = self.exchange.margins.available(account), len(account.fills)
        status, answer = self.venue.rest.exchange(body, "here")
        assert status == 200
        self.contract.check(f"action {action['type']}", answer)
        self.outcomes.update(_statuses(answer))
        # Whatever was added was affordable at the mark; prices beside it, and fees, are paid besides.
        fills = account.fills[known:]
        paid = sum((abs(fill.px - self.exchange.mark(fill.coin)) * fill.size + fill.fee for fill in fills), ZERO)
        if action["type"] == "order" and not action["orders"][0]["r"]:
            assert self.exchange.margins.available(account) >= min(before, ZERO) - paid, (action, answer)

    def ask(self) -> None:
        """Ask for the state of all accounts."""
        for account in self.accounts:
            for kind in ("clearinghouseState", "frontendOpenOrders", "userNonFundingLedgerUpdates", "portfolio"):
                query = json.dumps({"type": kind, "user": account.address}).encode()
                status, answer = asyncio.run(self.venue.rest.info(query, "here"))
                assert status == 200
                self.contract.check(f"info {kind}", answer)

    def order(self, account: Account) -> dict[str, Any]:
        asset, is_buy = self._asset(), self.rng.random() < 0.5
        tif = self.rng.choice(("Ioc", "Ioc", "Gtc", "Alo"))
        bps = self.rng.choice((-200, -5, -1, 1, 5, 200)) if tif != "Ioc" else (30 if is_buy else -30)
        return _orders(self._order(asset, is_buy, bps, tif=tif, reduce_only=self.rng.random() < 0.2))

    def bracket(self, account: Account) -> dict[str, Any]:
        """An entry with two exits; sometimes they are on the wrong side, or the entry closes a position."""
        asset, is_buy = self._asset(), self.rng.random() < 0.5
        exit_side = is_buy if self.rng.random() < 0.3 else not is_buy
        entry = self._order(asset, is_buy, 30 if is_buy else -30, tif=self.rng.choice(("Ioc", "Gtc")))
        exits = [
            self._order(asset, exit_side, bps, reduce_only=True, tpsl="sl" if (bps > 0) is exit_side else "tp")
            for bps in (60, -60)
        ]
        return {"type": "order", "orders": [entry, *exits], "grouping": "normalTpsl"}

    def trigger(self, account: Account) -> dict[str, Any]:
        """A stop or a target near the mark, which may open or turn round a position."""
        is_buy, bps = self.rng.random() < 0.5, self.rng.choice((-80, -20, 20, 80))
        reduce_only = self.rng.random() < 0.5
        tpsl = "sl" if (bps > 0) is is_buy else "tp"
        return _orders(self._order(self._asset(), is_buy, bps, reduce_only=reduce_only, tpsl=tpsl))

    def close(self, account: Account) -> dict[str, Any] | None:
        held = [coin for coin, position in account.positions.items() if position.size]
        if not held:
            return None
        coin = self.rng.choice(held)
        asset = [listing.name for listing in self.exchange.listings].index(coin)
        is_buy = account.positions[coin].size < 0
        order = self._order(asset, is_buy, 100 if is_buy else -100, tif="Ioc", reduce_only=True)
        return _orders({**order, "s": wire(abs(account.positions[coin].size)).removesuffix(".0")})

    def cancel(self, account: Account) -> dict[str, Any] | None:
        if not account.open_orders:
            return None
        order = self.rng.choice(list(account.open_orders.values()))
        return {"type": "cancel", "cancels": [{"a": order.spec.asset, "o": order.oid}]}

    def setting(self, account: Account) -> dict[str, Any]:
        if self.rng.random() < 0.5:
            leverage, is_cross = self.rng.choice((1, 3, 10, 20, 40)), self.rng.random() < 0.6
            return {"type": "updateLeverage", "asset": self._asset(), "isCross": is_cross, "leverage": leverage}
        cents = self.rng.randrange(-20_000, 20_000)
        return {"type": "updateIsolatedMargin", "asset": self._asset(), "isBuy": True, "ntli": cents * 10_000}

    def _asset(self) -> int:
        return self.rng.randrange(len(self.exchange.listings))

    def _order(
        self,
        asset: int,
        is_buy: bool,
        bps: int,
        *,
        tif: str = "Gtc",
        reduce_only: bool = False,
        tpsl: str | None = None,
    ) -> dict[str, Any]:
        listing = self.exchange.listings[asset]
        mark = self.exchange.mark(listing.name)
        px = to_tick(mark * (10_000 + bps) / 10_000, listing.sz_decimals)
        size = to_size(self.rng.choice((15, 300, 4_000, 60_000, 2_000_000)) / mark, listing.sz_decimals)
        kind: dict[str, Any] = {"limit": {"tif": tif}}
        if tpsl is not None:
            kind = {"trigger": {"isMarket": self.rng.random() < 0.7, "triggerPx": _plain(px), "tpsl": tpsl}}
        return {"a": asset, "b": is_buy, "p": _plain(px), "s": _plain(size), "r": reduce_only, "t": kind}


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _orders(order: dict[str, Any]) -> dict[str, Any]:
    return {"type": "order", "orders": [order], "grouping": "na"}


def _statuses(answer: dict[str, Any]) -> list[str]:
    if answer["status"] == "err":
        return [answer["response"].split(" asset=")[0]]
    statuses = answer["response"].get("data", {}).get("statuses", ["ok"])
    return [one if isinstance(one, str) else one.get("error", next(iter(one))).split(" asset=")[0] for one in statuses]


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_created_lost_or_lent(seed: int) -> None:
    clients = RandomClients(seed)
    balances = TapeBalances(clients.tape)
    while clients.fills < FILLS:
        for _ in range(COMMANDS_BETWEEN_CHECKS):
            clients.act()
        balances.read()
        for account in clients.accounts:
            check(clients.exchange, balances, account)
    clients.ask()
    assert clients.contract.broken == {}
    kinds = Counter(entry.kind for entry in clients.tape.entries())
    assert {"fill", "funding", "liquidation", "trigger", "leverage", "isolated_margin", "cancel"} <= kinds.keys()
    refused = {"Insufficient margin to place order.", "Reduce only order would increase position."}
    assert refused | {"filled", "resting", "waitingForTrigger"} <= clients.outcomes.keys()
