"""Runs the simulated Solana and Jupiter on a thread of their own, for synchronous clients."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from solders.keypair import Keypair

from strandline.model.exact import Price, Quantity
from strandline.model.fill import CashCause
from strandline.model.intent import Decision, ExecutionIntent
from strandline.model.order import SignedOrder
from strandline.model.position import Position
from strandline.model.result import ExecutionResult
from strandline.model.side import Side
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
from tests.strandline_sim.solana.simulation import BLOCK, BONK, START, TOKENS, UNLIMITED, USDC, AdjustablePrices
from tests.venues.intents import LIMITS, buy_intent, position_row_of, sell_intent

_VALUES: Final = {"key": PRIVATE_KEY, "url": JUPITER_URL, "rpc_url": RPC_URL, "api_key": JUPITER_API_KEY}
DECIMALS: Final = {str(token.mint): token.decimals for token in TOKENS}
MARKETS: Final = {str(token.mint): token.market for token in TOKENS}


class SimulatedSolana:
    """The venue, its tape, and clients of it. Time stands still until `advance`, or a client waits."""

    def __init__(self, loop: asyncio.AbstractEventLoop, plans: Plans) -> None:
        self.market, self.clock, self.tape, self.faults = AdjustablePrices(), SteppedClock(START), Tape(), Faults()
        self._loop = loop
        self._wallets = 0
        self._intents = 0
        self._venue = SolanaVenue(self.market, self.clock, self.tape, self.faults, TOKENS, plans=plans)
        self.addresses = self._run(self._venue.start())

    def stop(self) -> None:
        """Close all sockets."""
        self._run(self._venue.stop())

    def now(self) -> datetime:
        """Read the venue's clock, which the clients use too."""
        return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=self.clock.now())

    def advance(self, seconds: float) -> None:
        """Advance the clock."""
        self._run(self.clock.step(int(seconds * 1000)))

    def height(self) -> int:
        """The height of the newest block."""
        return self._venue.chain.blocks.height_at(self.clock.now())

    def advance_blocks(self, number: int) -> None:
        """Advance the clock by this number of blocks."""
        self._run(self.clock.step(number * BLOCK))

    async def pause(self, seconds: float) -> None:
        """Wait as a client, in the venue's time."""
        step = asyncio.run_coroutine_threadsafe(self.clock.step(int(seconds * 1000)), self._loop)
        await asyncio.wrap_future(step)

    def wallet(self, *, sol: float = 1, **tokens: int) -> Keypair:
        """Make and fund another wallet."""
        self._wallets += 1
        key = Keypair.from_seed(self._wallets.to_bytes(32, "big"))
        self.fund(key, sol=sol, **tokens)
        return key

    def fund(self, key: Keypair, *, sol: float = 0, **tokens: int) -> None:
        """Fund a wallet, with tokens by symbol in raw units."""

        async def give() -> None:
            self._venue.fund(key.pubkey(), sol=sol, tokens=tokens)

        self._run(give())

    def config(self, **changes: Any) -> VenueConfig:
        """Build the configuration for this venue."""
        values = {JUPITER_URL.name: self.addresses.jupiter, RPC_URL.name: self.addresses.rpc}
        values |= {setting.name: changes.pop(name) for name, setting in _VALUES.items() if name in changes}
        given = {name: value for name, value in values.items() if value is not None}
        return VenueConfig(**{"clock": self.now, "limits": LIMITS, "values": given, **changes})

    @contextmanager
    def executor(self, key: Keypair, *, waits: float = 30, **changes: Any) -> Iterator[SolanaExecutor]:
        """Open an executor of this wallet, which waits in the venue's time."""
        timeouts = Timeouts(order=waits, sleep=self.pause, elapsed=lambda: self.clock.now() / 1000)
        executor = SolanaExecutor(self.config(key=str(key), **changes), timeouts)
        try:
            yield executor
        finally:
            executor.close()

    @contextmanager
    def observer(self, **changes: Any) -> Iterator[SolanaObserver]:
        """Open an observer."""
        observer = SolanaObserver(self.config(**changes))
        try:
            yield observer
        finally:
            observer.close()

    def price(self, mint: str) -> Price:
        """Read the market's price."""
        market = MARKETS[mint]
        return Price(1) if market is None else Price(self.market.price(market, self.clock.now()))

    def buy(self, mint: str = BONK, dollars: str = "100", **changes: Any) -> ExecutionIntent:
        """Build another entry, decided at the market's price."""
        return buy_intent(SOLANA_ONCHAIN, mint, dollars, self.price(mint), self.now(), self._next_number(), **changes)

    def sell(
        self, mint: str, quantity: Quantity, decision: Decision = Decision.DEMOTE, **changes: Any
    ) -> ExecutionIntent:
        """Build another exit of the whole row, or with `TRIM` of this quantity."""
        price, now, number = self.price(mint), self.now(), self._next_number()
        return sell_intent(SOLANA_ONCHAIN, mint, quantity, decision, price, now, number, **changes)

    def on_chain(self, signature: str | None) -> list[Entry]:
        """The landings of a transaction that no fork has undone."""
        standing: list[Entry] = []
        for entry in self.tape.entries(venue="solana"):
            if entry.kind in {"landed", "failed"} and entry.data["signature"] == signature:
                standing.append(entry)
            if entry.kind == "forked" and signature in entry.data["undone"]:
                standing.pop()
        return standing

    def _next_number(self) -> int:
        self._intents += 1
        return self._intents

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


@contextmanager
def simulated_solana(plans: Plans = UNLIMITED) -> Iterator[SimulatedSolana]:
    """Start it, and stop it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        simulated = SimulatedSolana(loop, plans)
        try:
            yield simulated
        finally:
            simulated.stop()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def position_row(mint: str = BONK, quantity: Quantity | None = None) -> Position:
    """Build a row that holds this quantity."""
    return position_row_of(SOLANA_ONCHAIN, mint, quantity)


def moved(entry: Entry, owner: str, mint: str) -> int:
    """How much more of a token the owner has since then, raw, by the tape."""
    tokens = (one for one in entry.data["tokens"] if (one["owner"], one["mint"]) == (owner, mint))
    return sum(int(one["amount"]) for one in tokens)


def lamports(entry: Entry, owner: str) -> int:
    """How many more lamports the owner has since then, by the tape."""
    return int(entry.data["lamports"].get(owner, "0"))


def signed_order(
    executor: SolanaExecutor, intent: ExecutionIntent, position: Position, attempt: int = 1
) -> SignedOrder:
    """Prepare and sign an order."""
    return executor.sign(executor.prepare(intent, position, attempt), None)


def agrees(result: ExecutionResult, entry: Entry, wallet: str, mint: str) -> None:
    """Assert that the result is what happened: every unit of every asset, the ledger's rounding of dollars included."""
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
