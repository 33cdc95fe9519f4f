"""A chain with Jupiter on a thread of its own, for clients that are not asynchronous; it goes on while they wait."""

import asyncio
import threading
import tomllib
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec
from solders.keypair import Keypair

from strandline.model.exact import Money, Price, Quantity, Ratio
from strandline.model.fill import CashCause
from strandline.model.ids import derived_id
from strandline.model.intent import Decision, ExecutionIntent, ExitReason, Urgency
from strandline.model.order import SignedOrder
from strandline.model.position import DesiredStatus, Holding, Position, PositionKey
from strandline.model.result import ExecutionResult
from strandline.model.rule import Rule
from strandline.model.side import Side
from strandline.model.signal import EngineState
from strandline.model.strategy import Execution
from strandline.model.timeframe import Timeframe
from strandline.strategy import DEFAULT_FILE
from strandline.venues.config import VenueConfig
from strandline.venues.solana.executor import SolanaExecutor
from strandline.venues.solana.key import SOLANA_ONCHAIN
from strandline.venues.solana.observer import SolanaObserver
from strandline.venues.solana.settings import JUPITER_API_KEY, JUPITER_URL, PRIVATE_KEY, RPC_URL
from strandline.venues.solana.timeouts import Timeouts
from strandline_sim.clock import SteppedClock
from strandline_sim.faults import Faults
from strandline_sim.solana import Plans, SolanaVenue
from strandline_sim.tape import Entry, Tape
from tests.strandline_sim.solana.box import BLOCK, BONK, START, TOKENS, UNLIMITED, USDC, TinyMarket

LIMITS: Final = msgspec.convert(tomllib.loads(DEFAULT_FILE.read_text())["execution"], Execution)
_VALUES: Final = {"key": PRIVATE_KEY, "url": JUPITER_URL, "rpc_url": RPC_URL, "api_key": JUPITER_API_KEY}
DECIMALS: Final = {str(token.mint): token.decimals for token in TOKENS}
MARKETS: Final = {str(token.mint): token.market for token in TOKENS}


class Town:
    """The venue, its truth, and clients of it. Time stands still but for `later`, and for clients that wait."""

    def __init__(self, loop: asyncio.AbstractEventLoop, plans: Plans) -> None:
        self.market, self.clock, self.tape, self.faults = TinyMarket(), SteppedClock(START), Tape(), Faults()
        self._loop = loop
        self._wallets = 0
        self._intents = 0
        self._venue = SolanaVenue(self.market, self.clock, self.tape, self.faults, TOKENS, plans=plans)
        self.addresses = self._run(self._venue.start())

    def stop(self) -> None:
        """Close all sockets."""
        self._run(self._venue.stop())

    def now(self) -> datetime:
        """The venue's time, which is ours too."""
        return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=self.clock.now())

    def later(self, seconds: float) -> None:
        """Let so much time go by."""
        self._run(self.clock.step(int(seconds * 1000)))

    def height(self) -> int:
        """The height of the newest block."""
        return self._venue.chain.blocks.height_at(self.clock.now())

    def later_blocks(self, number: int) -> None:
        """Let so many blocks be made."""
        self._run(self.clock.step(number * BLOCK))

    async def pause(self, seconds: float) -> None:
        """How clients wait."""
        step = asyncio.run_coroutine_threadsafe(self.clock.step(int(seconds * 1000)), self._loop)
        await asyncio.wrap_future(step)

    def wallet(self, *, sol: float = 1, **tokens: int) -> Keypair:
        """Another funded wallet."""
        self._wallets += 1
        key = Keypair.from_seed(self._wallets.to_bytes(32, "big"))
        self.fund(key, sol=sol, **tokens)
        return key

    def fund(self, key: Keypair, *, sol: float = 0, **tokens: int) -> None:
        """More for a wallet, by symbol in raw units."""

        async def give() -> None:
            self._venue.fund(key.pubkey(), sol=sol, tokens=tokens)

        self._run(give())

    def access(self, **changes: Any) -> VenueConfig:
        """To this town."""
        values = {JUPITER_URL.name: self.addresses.jupiter, RPC_URL.name: self.addresses.rpc}
        values |= {setting.name: changes.pop(name) for name, setting in _VALUES.items() if name in changes}
        given = {name: value for name, value in values.items() if value is not None}
        return VenueConfig(**{"clock": self.now, "limits": LIMITS, "values": given, **changes})

    @contextmanager
    def executor(self, key: Keypair, *, waits: float = 30, **changes: Any) -> Iterator[SolanaExecutor]:
        """Of this wallet. It waits for an order in the venue's time, which takes none of ours."""
        timeouts = Timeouts(order=waits, sleep=self.pause, elapsed=lambda: self.clock.now() / 1000)
        executor = SolanaExecutor(self.access(key=str(key), **changes), timeouts)
        try:
            yield executor
        finally:
            executor.close()

    @contextmanager
    def observer(self, **changes: Any) -> Iterator[SolanaObserver]:
        """Without a key."""
        observer = SolanaObserver(self.access(**changes))
        try:
            yield observer
        finally:
            observer.close()

    def price(self, mint: str) -> Price:
        """The market's, now."""
        market = MARKETS[mint]
        return Price(1) if market is None else Price(self.market.price(market, self.clock.now()))

    def buy(self, mint: str = BONK, dollars: str = "100", **changes: Any) -> ExecutionIntent:
        """An intent of its own, decided at the market's price."""
        return self._intent(Decision.ADD, mint, notional=Money(dollars), quantity=None, **changes)

    def sell(
        self, mint: str, quantity: Quantity, decision: Decision = Decision.DEMOTE, **changes: Any
    ) -> ExecutionIntent:
        """All of a row, or with `TRIM` this much of it."""
        reason = ExitReason.STOP if decision is not Decision.TRIM else None
        return self._intent(decision, mint, notional=None, quantity=quantity, exit_reason=reason, **changes)

    def _intent(self, decision: Decision, mint: str, **changes: Any) -> ExecutionIntent:
        self._intents += 1
        told: dict[str, Any] = {
            "intent_id": derived_id("intent", self._intents),
            "position_id": UUID(int=1),
            "venue": SOLANA_ONCHAIN,
            "token_contract": mint,
            "timeframe": Timeframe.H1,
            "decision": decision,
            "exit_reason": None,
            "rule": Rule.MANUAL,
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
            "decision_price": self.price(mint),
            "source_bar": self.now(),
            "source_revision": 1,
            "cycle": self.now(),
            "expires_at": self.now() + timedelta(seconds=300),
            "strategy_hash": "0" * 64,
        }
        return ExecutionIntent(**{**told, **changes})

    def on_chain(self, signature: str | None) -> list[Entry]:
        """The landings of a transaction that no fork has undone."""
        standing: list[Entry] = []
        for entry in self.tape.entries(venue="solana"):
            if entry.kind in {"landed", "failed"} and entry.data["signature"] == signature:
                standing.append(entry)
            if entry.kind == "forked" and signature in entry.data["undone"]:
                standing.pop()
        return standing

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


@contextmanager
def open_town(plans: Plans = UNLIMITED) -> Iterator[Town]:
    """Start it, and stop it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        town = Town(loop, plans)
        try:
            yield town
        finally:
            town.stop()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def row(mint: str = BONK, quantity: Quantity | None = None) -> Position:
    """A row that holds so much."""
    held = quantity or Quantity(0)
    entered = datetime(2025, 1, 1, tzinfo=UTC) if held else None
    average = Price(1) if held else None
    return Position(
        key=PositionKey(venue=SOLANA_ONCHAIN, token_contract=mint, timeframe=Timeframe.H1),
        instrument_id=1,
        desired_status=DesiredStatus.OPEN,
        weight=Ratio(1),
        ready=True,
        holding=Holding(trade_no=1, quantity=held, average_entry=average, first_fill_at=entered, last_fill_at=entered),
    )


def moved(entry: Entry, owner: str, mint: str) -> int:
    """How much more of a token the owner has since then, raw, by the tape."""
    tokens = (one for one in entry.data["tokens"] if (one["owner"], one["mint"]) == (owner, mint))
    return sum(int(one["amount"]) for one in tokens)


def lamports(entry: Entry, owner: str) -> int:
    """How many more lamports the owner has since then, by the tape."""
    return int(entry.data["lamports"].get(owner, "0"))


def ordered(executor: SolanaExecutor, intent: ExecutionIntent, position: Position, attempt: int = 1) -> SignedOrder:
    """Prepared and signed."""
    return executor.sign(executor.prepare(intent, position, attempt), None)


def agrees(result: ExecutionResult, entry: Entry, wallet: str, mint: str) -> None:
    """What was told is what happened: every unit of every asset, the ledger's rounding of dollars included."""
    usdc, tokens = Decimal(0), Decimal(0)
    for fill in result.fills:
        sign = 1 if fill.side is Side.BUY else -1
        tokens += sign * fill.quantity.decimal
        usdc -= sign * fill.notional.decimal.quantize(Decimal("0.000001"))
    assert tokens.scaleb(DECIMALS[mint]) == moved(entry, wallet, mint)
    assert usdc.scaleb(6) == moved(entry, wallet, USDC)
    assert sum((event.amount.decimal for event in result.cash_events), Decimal(0)).scaleb(9) == lamports(entry, wallet)
    [gas] = [event for event in result.cash_events if event.cause is CashCause.GAS]
    assert gas.amount.decimal.scaleb(9) == -int(entry.data["fee"])
