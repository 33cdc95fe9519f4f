"""Runs the simulated Hyperliquid on a thread of its own; its time stands still until `advance`."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import eth_account
import requests
from eth_account.signers.local import LocalAccount

from strandline.model.exact import Price, Quantity
from strandline.model.intent import Decision, ExecutionIntent
from strandline.model.order import SignedOrder
from strandline.model.position import Position
from strandline.venues.config import VenueConfig
from strandline.venues.hyperliquid.executor import HyperliquidExecutor
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from strandline.venues.hyperliquid.observer import HyperliquidObserver
from strandline.venues.hyperliquid.settings import PRIVATE_KEY, URL
from strandline.venues.hyperliquid.timeouts import Timeouts
from strandline.venues.hyperliquid.wire import instant, milliseconds
from strandline_sim.clock import SteppedClock
from strandline_sim.faults import FaultKind, Faults, Rule
from strandline_sim.hyperliquid.limits import Limits
from strandline_sim.hyperliquid.venue import HyperliquidVenue
from strandline_sim.tape import Entry, Tape
from tests.strandline_sim.hyperliquid.sample_venue import START, make_market
from tests.venues.intents import LIMITS, buy_intent, position_row_of, sell_intent

_VALUES: Final = {"key": PRIVATE_KEY, "url": URL}
ORDER: Final = "hyperliquid/exchange/order"


class SimulatedHyperliquid:
    """The venue, its tape, and clients of it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.clock, self.tape, self.faults = SteppedClock(START), Tape(), Faults()
        self.venue = HyperliquidVenue(make_market(), self.clock, self.tape, self.faults, limits=Limits.none())
        self._loop = loop
        self._made = 0
        self.url: str = self._run(self.venue.start())

    def stop(self) -> None:
        """Close all sockets."""
        self._run(self.venue.stop())

    @property
    def answers(self) -> dict[str, Any]:
        """The handlers of `/info`, to be replaced where the venue cannot be brought to a response otherwise."""
        return self.venue.rest._info._answers

    def now(self) -> datetime:
        """Read the venue's clock, which the clients use too."""
        return instant(self.clock.now())

    def advance(self, seconds: float) -> None:
        """Advance the clock."""

        async def step() -> None:
            await self.clock.step(int(seconds * 1000))
            self.venue.advance()

        self._run(step())

    def inject(self, kind: FaultKind, route: str = ORDER, **more: Any) -> None:
        """Inject a fault from now on."""
        self.faults.add(Rule(route=route, kind=kind, **more))

    def wallet(self, usdc: str | None = "10000") -> LocalAccount:
        """Make another account."""
        key: LocalAccount = eth_account.Account.from_key(self._next_number().to_bytes(32, "big"))
        if usdc is not None:
            self.deposit(key.address, usdc)
        return key

    def deposit(self, address: str, usdc: str) -> None:
        """Deposit USDC."""

        async def give() -> None:
            self.venue.deposit(address, Decimal(usdc))

        self._run(give())

    def config(self, **changes: Any) -> VenueConfig:
        """Build the configuration for this venue."""
        values: dict[str, Any] = {URL.name: self.url}
        values |= {setting.name: changes.pop(name) for name, setting in _VALUES.items() if name in changes}
        given = {name: value for name, value in values.items() if value is not None}
        return VenueConfig(**{"clock": self.now, "limits": LIMITS, "values": given, **changes})

    def timeouts(self, **changes: Any) -> Timeouts:
        """Build timeouts that wait in the venue's time, so that delayed requests arrive meanwhile."""
        return Timeouts(**{"sleep": self.advance, **changes})

    @contextmanager
    def executor(
        self, key: LocalAccount, timeouts: Timeouts | None = None, **changes: Any
    ) -> Iterator[HyperliquidExecutor]:
        """Open an executor of this account."""
        executor = HyperliquidExecutor(self.config(key=key.key.hex(), **changes), timeouts or self.timeouts())
        try:
            yield executor
        finally:
            executor.close()

    @contextmanager
    def observer(self) -> Iterator[HyperliquidObserver]:
        """Open an observer."""
        observer = HyperliquidObserver(self.config(), self.timeouts())
        try:
            yield observer
        finally:
            observer.close()

    def price(self, coin: str = "ETH") -> Price:
        """Read the mid price."""
        return Price(self.answers["allMids"]({})[coin])

    def buy(self, coin: str = "ETH", dollars: str = "1000", **changes: Any) -> ExecutionIntent:
        """Build another entry, decided at the venue's price."""
        return buy_intent(
            HYPERLIQUID_PERPS, coin, dollars, self._decision_price(coin), self.now(), self._next_number(), **changes
        )

    def sell(
        self, quantity: Quantity, coin: str = "ETH", decision: Decision = Decision.DEMOTE, **changes: Any
    ) -> ExecutionIntent:
        """Build another exit of the whole row, or with `TRIM` of this quantity."""
        price, now, number = self._decision_price(coin), self.now(), self._next_number()
        return sell_intent(HYPERLIQUID_PERPS, coin, quantity, decision, price, now, number, **changes)

    def held(self, key: LocalAccount, coin: str = "ETH") -> Quantity:
        """Read the size of the account's position from the exchange."""
        account = self.venue.exchange.account(key.address.lower())
        return Quantity(0 if account is None else account.size_of(coin))

    def tape_entries(self, order: SignedOrder, kind: str) -> list[Entry]:
        """Read an order's entries of this kind."""
        return [entry for entry in self.tape.entries(kind=kind) if entry.data["cloid"] == order.client_order_id]

    def resend(self, order: SignedOrder) -> None:
        """Send the same bytes again, as a delayed or duplicated request would."""
        requests.post(f"{self.url}/exchange", data=order.signed_bytes, timeout=10).close()

    def signed_order(
        self, executor: HyperliquidExecutor, intent: ExecutionIntent, position: Position | None = None
    ) -> SignedOrder:
        """Prepare and sign an order, each with another nonce."""
        plan = executor.prepare(intent, position or position_row(), 1)
        return executor.sign(plan, milliseconds(self.now()) + self._next_number())

    def _decision_price(self, coin: str) -> Price:
        return self.price(coin) if coin in self.venue.exchange.by_name else Price(1)

    def _next_number(self) -> int:
        self._made += 1
        return self._made

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


@contextmanager
def simulated_hyperliquid() -> Iterator[SimulatedHyperliquid]:
    """Start it, and stop it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        simulated = SimulatedHyperliquid(loop)
        try:
            yield simulated
        finally:
            simulated.stop()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def position_row(quantity: Quantity | None = None, coin: str = "ETH") -> Position:
    """Build a row that holds this quantity."""
    return position_row_of(HYPERLIQUID_PERPS, coin, quantity)
