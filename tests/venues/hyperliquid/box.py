"""A venue on a thread of its own with accounts and intents; time stands still but for `later`."""

import asyncio
import threading
import tomllib
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import eth_account
import msgspec
import requests
from eth_account.signers.local import LocalAccount

from strandline.model.exact import Money, Price, Quantity, Ratio
from strandline.model.ids import derived_id
from strandline.model.intent import Decision, ExecutionIntent, ExitReason, Urgency
from strandline.model.order import SignedOrder
from strandline.model.position import DesiredStatus, Holding, Position, PositionKey
from strandline.model.signal import EngineState
from strandline.model.strategy import Execution
from strandline.model.timeframe import Timeframe
from strandline.model.venue import VenueKey
from strandline.strategy import DEFAULT_FILE
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
from tests.strandline_sim.hyperliquid.things import START, market

LIMITS: Final = msgspec.convert(tomllib.loads(DEFAULT_FILE.read_text())["execution"], Execution)
_VALUES: Final = {"key": PRIVATE_KEY, "url": URL}
ORDER: Final = "hyperliquid/exchange/order"


class Box:
    """The venue and its truth."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.clock, self.tape, self.faults = SteppedClock(START), Tape(), Faults()
        self.venue = HyperliquidVenue(market(), self.clock, self.tape, self.faults, limits=Limits.none())
        self._loop = loop
        self._made = 0
        self.url: str = self._run(self.venue.start())

    def stop(self) -> None:
        """Close all sockets."""
        self._run(self.venue.stop())

    @property
    def answers(self) -> dict[str, Any]:
        """How the venue answers each kind of question, to be changed where it cannot be brought to it otherwise."""
        return self.venue._rest._info._answers

    def now(self) -> datetime:
        """The venue's time, which is ours too."""
        return instant(self.clock.now())

    def later(self, seconds: float) -> None:
        """Let so much time go by."""

        async def step() -> None:
            await self.clock.step(int(seconds * 1000))
            self.venue.advance()

        self._run(step())

    def fault(self, kind: FaultKind, route: str = ORDER, **more: Any) -> None:
        """From now on."""
        self.faults.add(Rule(route=route, kind=kind, **more))

    def key(self, usdc: str | None = "10000") -> LocalAccount:
        """Another account."""
        self._made += 1
        key: LocalAccount = eth_account.Account.from_key(self._made.to_bytes(32, "big"))
        if usdc is not None:
            self.deposit(key.address, usdc)
        return key

    def deposit(self, address: str, usdc: str) -> None:
        """From outside."""

        async def give() -> None:
            self.venue.deposit(address, Decimal(usdc))

        self._run(give())

    def access(self, **changes: Any) -> VenueConfig:
        """To this venue."""
        values: dict[str, Any] = {URL.name: self.url}
        values |= {setting.name: changes.pop(name) for name, setting in _VALUES.items() if name in changes}
        given = {name: value for name, value in values.items() if value is not None}
        return VenueConfig(**{"clock": self.now, "limits": LIMITS, "values": given, **changes})

    def timeouts(self, **changes: Any) -> Timeouts:
        """Waiting takes no time of ours; what is delayed arrives meanwhile."""
        return Timeouts(**{"sleep": self.later, **changes})

    @contextmanager
    def executor(
        self, key: LocalAccount, timeouts: Timeouts | None = None, **changes: Any
    ) -> Iterator[HyperliquidExecutor]:
        """Of this account."""
        executor = HyperliquidExecutor(self.access(key=key.key.hex(), **changes), timeouts or self.timeouts())
        try:
            yield executor
        finally:
            executor.close()

    @contextmanager
    def observer(self) -> Iterator[HyperliquidObserver]:
        """Without a key."""
        observer = HyperliquidObserver(self.access(), self.timeouts())
        try:
            yield observer
        finally:
            observer.close()

    def price(self, coin: str = "ETH") -> Price:
        """Halfway between bid and ask."""
        return Price(self.answers["allMids"]({})[coin])

    def buy(self, coin: str = "ETH", dollars: str = "1000", **changes: Any) -> ExecutionIntent:
        """An intent of its own, decided at the venue's price."""
        return self._intent(Decision.ADD, coin, notional=Money(dollars), quantity=None, **changes)

    def sell(
        self, quantity: Quantity, coin: str = "ETH", decision: Decision = Decision.DEMOTE, **changes: Any
    ) -> ExecutionIntent:
        """All of a row, or with `TRIM` this much of it."""
        reason = ExitReason.STOP if decision is not Decision.TRIM else None
        return self._intent(decision, coin, notional=None, quantity=quantity, exit_reason=reason, **changes)

    def held(self, key: LocalAccount, coin: str = "ETH") -> Quantity:
        """What the account is long, by the venue's books."""
        account = self.venue.exchange.account(key.address.lower())
        return Quantity(0 if account is None else account.size_of(coin))

    def told(self, order: SignedOrder, kind: str) -> list[Entry]:
        """What the tape says of an order."""
        return [entry for entry in self.tape.entries(kind=kind) if entry.data["cloid"] == order.client_order_id]

    def resend(self, order: SignedOrder) -> None:
        """The same bytes, as a delayed or repeated delivery would bring them."""
        requests.post(f"{self.url}/exchange", data=order.signed_bytes, timeout=10).close()

    def ordered(
        self, executor: HyperliquidExecutor, intent: ExecutionIntent, position: Position | None = None
    ) -> SignedOrder:
        """Prepared and signed; each has another nonce."""
        self._made += 1
        plan = executor.prepare(intent, position or row(), 1)
        return executor.sign(plan, milliseconds(self.now()) + self._made)

    def _intent(self, decision: Decision, coin: str, **changes: Any) -> ExecutionIntent:
        self._made += 1
        told: dict[str, Any] = {
            "intent_id": derived_id("intent", self._made),
            "position_id": UUID(int=1),
            "venue": HYPERLIQUID_PERPS,
            "token_contract": coin,
            "timeframe": Timeframe.H1,
            "decision": decision,
            "exit_reason": None,
            "rule": "manual",
            "trade_no": 1,
            "attempt_no": 1,
            "size_frac": Ratio(1),
            "urgency": Urgency.NORMAL,
            "max_slippage_bps": 50,
            "reduce_only": decision is not Decision.ADD,
            "reasons": ("test",),
            "state": EngineState.S1,
            "appetite": 0.5,
            "exit_urgency": 0.5,
            "decision_price": self.price(coin) if coin in self.venue.exchange.by_name else Price(1),
            "source_bar": self.now(),
            "source_revision": 1,
            "cycle": self.now(),
            "expires_at": self.now() + timedelta(seconds=300),
            "strategy_hash": "0" * 64,
        }
        return ExecutionIntent(**{**told, **changes})

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


@contextmanager
def open_box() -> Iterator[Box]:
    """Start it, and stop it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        box = Box(loop)
        try:
            yield box
        finally:
            box.stop()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def row(quantity: Quantity | None = None, coin: str = "ETH", venue: VenueKey = HYPERLIQUID_PERPS) -> Position:
    """A row that holds so much."""
    held = quantity or Quantity(0)
    entered = instant(START) if held else None
    return Position(
        key=PositionKey(venue=venue, token_contract=coin, timeframe=Timeframe.H1),
        instrument_id=1,
        desired_status=DesiredStatus.OPEN,
        weight=Ratio(1),
        ready=True,
        holding=Holding(
            trade_no=1,
            quantity=held,
            average_entry=Price(1) if held else None,
            first_fill_at=entered,
            last_fill_at=entered,
        ),
    )
