"""Sample markets, accounts and exchanges, and a venue served from a thread."""

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from threading import Thread
from typing import Any

import eth_account
from eth_account.signers.local import LocalAccount

from strandline_sim.clock import Clock, RunningClock
from strandline_sim.faults import Faults
from strandline_sim.hyperliquid.account import Account
from strandline_sim.hyperliquid.exchange import Exchange
from strandline_sim.hyperliquid.limits import Limits
from strandline_sim.hyperliquid.market import perpetuals
from strandline_sim.hyperliquid.rules import Rules
from strandline_sim.hyperliquid.venue import HyperliquidVenue
from strandline_sim.market.market import Market, Scenario
from strandline_sim.market.regime import Leg, Regime
from strandline_sim.market.spec import perp
from strandline_sim.tape import Tape

os.environ["NO_PROXY"] = "127.0.0.1"

DAY = 86_400_000
START = 1_767_225_600_000
ALICE: LocalAccount = eth_account.Account.from_key("0x" + "11" * 32)
BOB: LocalAccount = eth_account.Account.from_key("0x" + "22" * 32)
STRANGER: LocalAccount = eth_account.Account.from_key("0x" + "33" * 32)
MONEY = Decimal(10_000)
BTC, ETH, SOL = 0, 1, 2


def make_market(seed: int = 1, scenario: Scenario | None = None) -> Market:
    """Make a market of three perps."""
    return Market(seed, [perp("BTC", "60000", 5), perp("ETH", "3000", 4), perp("SOL", "150", 2)], scenario)


def make_exchange(
    seed: int = 1, start: int = START, rules: Rules | None = None, scenario: Scenario | None = None
) -> tuple[Exchange, Tape]:
    """Make an exchange without a network."""
    tape, market = Tape(), make_market(seed, scenario)
    return Exchange(market, perpetuals(market), tape, start, rules), tape


def funded(exchange: Exchange, name: str = "a", usdc: Decimal = MONEY) -> Account:
    """Deposit cash into a new account."""
    address = "0x" + (name * 40)[:40]
    exchange.deposit(address, usdc)
    account = exchange.account(address)
    assert account is not None
    return account


def wall_clock() -> RunningClock:
    """Make a clock in real time, in which clients sign."""
    return RunningClock(int(time.time() * 1000))


def make_venue(
    *, clock: Clock | None = None, faults: Faults | None = None, limits: Limits | None = None, **more: Any
) -> tuple[HyperliquidVenue, Tape]:
    """Make a venue in which Alice and Bob have cash."""
    tape, clock = Tape(), clock or wall_clock()
    deposits = {str(wallet.address): MONEY for wallet in (ALICE, BOB)}
    market = make_market(scenario=active_scenario(clock.now()))
    venue = HyperliquidVenue(market, clock, tape, faults, deposits=deposits, limits=limits or Limits.none(), **more)
    return venue, tape


def active_scenario(now: int) -> Scenario:
    """Make a scenario with trades in every minute around this instant, whenever a test runs."""
    minute = now - now % 60_000
    leg = Leg(regime=Regime.RANGE, start_ms=minute - 30 * DAY, end_ms=minute + 30 * DAY)
    return {coin: [leg] for coin in ("BTC", "ETH", "SOL")}


@contextmanager
def served(venue: HyperliquidVenue) -> Iterator[str]:
    """Serve a venue from a thread, because clients block; yield the base URL."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(venue.start(), loop).result(10)
    finally:
        asyncio.run_coroutine_threadsafe(venue.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def kinds(tape: Tape) -> list[str]:
    """Return the kinds of the tape's entries."""
    return [entry.kind for entry in tape.entries()]


def only(statuses: Sequence[Any]) -> Any:
    """Return the only status."""
    (status,) = statuses
    return status
