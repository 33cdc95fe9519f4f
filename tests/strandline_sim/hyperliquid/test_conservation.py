"""Balances are conserved: after any commands and market moves every account equals the tape."""

import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline_sim.hyperliquid.account import Leverage
from strandline_sim.hyperliquid.numbers import to_size, to_tick
from strandline_sim.hyperliquid.orders import Grouping, OrderSpec, Tif, Trigger
from strandline_sim.market.market import Scenario
from strandline_sim.market.regime import Leg, Regime
from tests.strandline_sim.hyperliquid.invariants import TapeBalances, check
from tests.strandline_sim.hyperliquid.sample_venue import MONEY, START, funded, kinds, make_exchange

MINUTE = 60_000
NAMES = ("a", "b", "c")

sizes = st.sampled_from((20, 300, 5_000, 60_000, 400_000))
commands = st.one_of(
    st.tuples(
        st.just("place"), st.sampled_from(NAMES), st.integers(0, 2), st.booleans(), sizes,
        st.sampled_from((-300, -20, -2, 0, 2, 20, 300)), st.sampled_from(list(Tif)), st.booleans(),
        st.sampled_from((None, None, None, "tp", "sl")),
    ),
    st.tuples(
        st.just("bracket"), st.sampled_from(NAMES), st.integers(0, 2), st.booleans(), sizes, st.booleans(),
        st.sampled_from((-20, 20)),
    ),
    st.tuples(st.just("cancel"), st.sampled_from(NAMES), st.integers(0, 5)),
    st.tuples(st.just("modify"), st.sampled_from(NAMES), st.integers(0, 5), st.sampled_from((-50, 50)), st.booleans()),
    st.tuples(st.just("leverage"), st.sampled_from(NAMES), st.integers(0, 2), st.booleans(), st.integers(1, 40)),
    st.tuples(st.just("margin"), st.sampled_from(NAMES), st.integers(0, 2), st.integers(-500, 500)),
    st.tuples(st.just("schedule"), st.sampled_from(NAMES), st.integers(5_000, 600_000)),
    st.tuples(st.just("deposit"), st.sampled_from(NAMES), st.integers(1, 1000)),
    st.tuples(st.just("wait"), st.sampled_from((1, 700, 20_000, 5 * MINUTE, 61 * MINUTE))),
)  # fmt: skip


class Clients:
    """Three clients of one exchange."""

    def __init__(self, seed: int, scenario: Scenario | None = None) -> None:
        self.exchange, self.tape = make_exchange(seed, scenario=scenario)
        self.accounts = {name: funded(self.exchange, name) for name in NAMES}

    def do(self, command: tuple[Any, ...]) -> None:
        getattr(self, command[0])(*command[1:])

    def place(
        self, name: str, asset: int, is_buy: bool, usd: int, bps: int, tif: Tif, reduce_only: bool, tpsl: str | None
    ) -> None:
        px = self.price(asset, bps)
        trigger = None if tpsl is None else Trigger(px, is_market=True, is_take_profit=tpsl == "tp")
        spec = OrderSpec(asset, is_buy, px, self.size(asset, usd), reduce_only, tif, trigger, "0x" + "c" * 32)
        self.exchange.place(self.accounts[name], [spec])

    def bracket(self, name: str, asset: int, is_buy: bool, usd: int, opposed: bool = True, bps: int = 20) -> None:
        """An entry with two exits; without `opposed` on its own side, and with `bps` below zero it may rest."""
        size = self.size(asset, usd)
        entry = OrderSpec(asset, is_buy, self.price(asset, bps if is_buy else -bps), size)
        is_exit_buy = is_buy is not opposed
        sign = -1 if is_exit_buy else 1
        exits = [
            OrderSpec(
                asset, is_exit_buy, self.price(asset, away), size, reduce_only=True,
                trigger=Trigger(self.price(asset, away), is_market=True, is_take_profit=away * sign > 0),
            )
            for away in (40, -40)
        ]  # fmt: skip
        self.exchange.place(self.accounts[name], [entry, *exits], Grouping.CHILDREN)

    def cancel(self, name: str, which: int) -> None:
        for order in list(self.accounts[name].open_orders.values())[which : which + 1]:
            assert self.exchange.cancel(self.accounts[name], order.spec.asset, order.oid) is None

    def modify(self, name: str, which: int, bps: int, always: bool) -> None:
        for order in list(self.accounts[name].open_orders.values())[which : which + 1]:
            spec = order.spec._replace(px=self.price(order.spec.asset, bps))
            self.exchange.modify(self.accounts[name], order.oid, spec, always_place=always)

    def leverage(self, name: str, asset: int, is_cross: bool, value: int) -> None:
        self.exchange.update_leverage(self.accounts[name], asset, Leverage(is_cross, value))

    def margin(self, name: str, asset: int, usd: int) -> None:
        self.exchange.update_isolated_margin(self.accounts[name], asset, Decimal(usd))

    def schedule(self, name: str, wait: int) -> None:
        self.exchange.schedule_cancel(self.accounts[name], self.exchange.now + wait)

    def deposit(self, name: str, usd: int) -> None:
        self.exchange.deposit(self.accounts[name].address, Decimal(usd))

    def wait(self, milliseconds: int) -> None:
        self.exchange.advance(self.exchange.now + milliseconds)

    def price(self, asset: int, bps: int) -> Decimal:
        listing = self.exchange.listings[asset]
        return to_tick(self.exchange.mark(listing.name) * (10_000 + bps) / 10_000, listing.sz_decimals)

    def size(self, asset: int, usd: int) -> Decimal:
        listing = self.exchange.listings[asset]
        return to_size(usd / self.exchange.mark(listing.name), listing.sz_decimals)


@given(st.integers(0, 3), st.lists(commands, min_size=1, max_size=25))
@settings(max_examples=60)
def test_balances_are_conserved_after_every_command(seed: int, steps: list[tuple[Any, ...]]) -> None:
    clients = Clients(seed)
    for step in steps:
        clients.do(step)
        balances = TapeBalances(clients.tape)
        balances.read()
        for account in clients.accounts.values():
            check(clients.exchange, balances, account)


@given(st.integers(0, 3), st.lists(commands, min_size=1, max_size=25))
@settings(max_examples=20)
def test_the_same_commands_give_the_same_tape(seed: int, steps: list[tuple[Any, ...]]) -> None:
    tapes = []
    for _ in range(2):
        clients = Clients(seed)
        for step in steps:
            clients.do(step)
        tapes.append(bytes(clients.tape))
    assert tapes[0] == tapes[1]


@given(st.lists(commands, min_size=1, max_size=10), st.lists(st.integers(1, 90_000), max_size=6))
@settings(max_examples=20)
def test_the_tape_does_not_depend_on_how_time_is_advanced(steps: list[tuple[Any, ...]], instants: list[int]) -> None:
    """Advance the time in one step, or in several."""
    tapes = []
    for stops in ([], instants):
        clients = Clients(1)
        for step in steps:
            clients.do(step)
        start = clients.exchange.now
        for stop in sorted(stops):
            clients.exchange.advance(start + stop)
        clients.exchange.advance(start + 100_000)
        tapes.append(bytes(clients.tape))
    assert tapes[0] == tapes[1]


def test_two_clients_trade_with_each_other() -> None:
    exchange, tape = make_exchange()
    seller, buyer = funded(exchange, "a"), funded(exchange, "b")
    bid, ask = exchange.matcher.bbo("SOL")
    assert bid is not None
    assert ask is not None
    inside = to_tick((bid + ask) / 2, 2)
    assert bid < inside < ask
    exchange.place(seller, [OrderSpec(2, is_buy=False, px=inside, size=Decimal(3), tif=Tif.ALO)])
    exchange.place(buyer, [OrderSpec(2, is_buy=True, px=inside, size=Decimal(3), tif=Tif.IOC)])
    fees = {entry.data["account"]: Decimal(entry.data["fee"]) for entry in tape.entries(kind="fill")}
    assert seller.balance + buyer.balance == 2 * MONEY - sum(fees.values())
    assert (seller.size_of("SOL"), buyer.size_of("SOL")) == (Decimal(-3), Decimal(3))
    assert fees[buyer.address] == (3 * inside * Decimal("0.00045")).quantize(Decimal("0.000001"), "ROUND_DOWN")
    assert fees[seller.address] == (3 * inside * Decimal("0.00015")).quantize(Decimal("0.000001"), "ROUND_DOWN")


def crash() -> dict[str, list[Leg]]:
    """Make a scenario in which all prices fall by a third within two hours."""
    leg = Leg(regime=Regime.CRASH, start_ms=START, end_ms=START + 120 * MINUTE, drift=-0.33)
    return {coin: [leg] for coin in ("BTC", "ETH", "SOL")}


def random_command(rng: random.Random) -> tuple[Any, ...]:
    """Choose a command that uses an account's margin up."""
    name, asset = rng.choice(NAMES), rng.randrange(3)
    usd = rng.choice((300, 5_000, 60_000, 150_000))
    return rng.choice(
        (
            ("place", name, asset, rng.random() < 0.6, usd, 20, Tif.IOC, False, None),
            ("place", name, asset, rng.random() < 0.5, usd, rng.choice((-4, -1, 1, 4)), Tif.GTC, False, None),
            ("place", name, asset, rng.random() < 0.5, usd, rng.choice((-4, 4)), Tif.GTC, True, None),
            ("bracket", name, asset, rng.random() < 0.5, usd),
            ("leverage", name, asset, rng.random() < 0.6, rng.choice((1, 5, 20, 40))),
            ("margin", name, asset, rng.randrange(-200, 200)),
            ("cancel", name, 0),
            ("modify", name, 0, rng.choice((-3, 3)), rng.random() < 0.5),
            ("wait", rng.choice((500, 20_000, MINUTE, 4 * MINUTE))),
        )
    )


@pytest.mark.parametrize("seed", [0, 1, 2, 4, 5])
def test_balances_are_conserved_in_a_crash(seed: int) -> None:
    """Each of these seeds reaches every kind of end that is asserted below; not every seed does."""
    clients, rng = Clients(seed, crash()), random.Random(seed)
    for number in range(400):
        clients.do(random_command(rng))
        if number % 4 == 0:
            balances = TapeBalances(clients.tape)
            balances.read()
            for account in clients.accounts.values():
                check(clients.exchange, balances, account)
    seen = {entry.data.get("status") or entry.data.get("dir", "").split(" ")[0] for entry in clients.tape.entries()}
    assert {"Open", "Close", "Liquidated", "reduceOnlyCanceled"} <= seen
    assert {"liquidation", "cancel", "trigger", "leverage"} <= set(kinds(clients.tape))
