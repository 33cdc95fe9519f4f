"""Balances are conserved: after every command of random clients the chain equals the tape."""

import asyncio
import base64
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from strandline_sim.faults import FaultKind, Rule
from strandline_sim.solana import SolanaVenue
from strandline_sim.solana.token_accounts import WRAPPED_SOL, read_holding, read_mint
from strandline_sim.tape import Entry, Tape
from tests.strandline_sim.solana.simulation import (
    BONK,
    FEE_TOKEN,
    PYUSD,
    SOL,
    TOKENS,
    USDC,
    Simulation,
    open_simulation,
)

MINTS = (SOL, USDC, BONK, PYUSD, str(FEE_TOKEN.mint))
KEYS = [Keypair.from_seed(bytes([number]) * 32) for number in range(1, 4)]


class Balances(NamedTuple):
    """Lamports by address; token amounts and withheld fees by token account."""

    lamports: dict[str, int]
    tokens: dict[str, int]
    withheld: dict[str, int]


class TapeBalances:
    """The balances according to the tape, which is read incrementally."""

    def __init__(self) -> None:
        self._lamports, self._tokens, self._withheld = (defaultdict[str, int](int) for _ in range(3))
        self._landed: dict[str, Entry] = {}
        self._read = 0
        self.funded = 0
        self.fees = 0
        self.addresses: set[str] = set()

    def balances(self, tape: Tape) -> Balances:
        """Read the rest of the tape; return the balances without zeros."""
        for entry in tape.entries(venue="solana", after=self._read):
            self._add(entry)
        self._read = len(tape)
        balances = (self._lamports, self._tokens, self._withheld)
        return Balances(*({key: value for key, value in part.items() if value} for part in balances))

    def _add(self, entry: Entry) -> None:
        if entry.kind in {"genesis", "funded"}:
            self._apply(entry.data, 1)
            self.funded += sum(int(amount) for amount in entry.data["lamports"].values())
        elif entry.kind in {"landed", "failed"}:
            self._apply(entry.data, 1)
            self.fees += int(entry.data["fee"])
            self._landed[entry.data["signature"]] = entry
        elif entry.kind == "forked":
            for signature in entry.data["undone"]:
                undone = self._landed.pop(signature)
                self._apply(undone.data, -1)
                self.fees -= int(undone.data["fee"])

    def _apply(self, data: dict[str, Any], sign: int) -> None:
        for address, amount in data["lamports"].items():
            self._lamports[address] += sign * int(amount)
            self.addresses.add(address)
        for delta in data["tokens"]:
            self._tokens[delta["account"]] += sign * int(delta["amount"])
            self._withheld[delta["account"]] += sign * int(delta["withheld"])
            self.addresses.add(delta["account"])


def chain_balances(venue: SolanaVenue, addresses: set[str]) -> Balances:
    """Read the balances from the chain."""
    balances = Balances({}, {}, {})
    for address in addresses:
        account = venue.accounts.get(Pubkey.from_string(address))
        if account is not None:
            balances.lamports[address] = account.lamports
            holding = read_holding(account.owner, account.data)
            if holding is not None and holding.amount:
                balances.tokens[address] = holding.amount
            if holding is not None and holding.withheld:
                balances.withheld[address] = holding.withheld
    return balances


def check(sim: Simulation, tape_balances: TapeBalances) -> None:
    """Assert that chain and tape agree, and that lamports and tokens are conserved."""
    balances = tape_balances.balances(sim.tape)
    addresses = tape_balances.addresses
    assert chain_balances(sim.venue, addresses) == balances
    assert sum(balances.lamports.values()) == tape_balances.funded - tape_balances.fees
    amounts = defaultdict[Pubkey, int](int)
    for address in balances.tokens.keys() | balances.withheld.keys():
        account = sim.venue.accounts.get(Pubkey.from_string(address))
        assert account is not None
        holding = read_holding(account.owner, account.data)
        assert holding is not None
        amounts[holding.mint] += holding.amount + holding.withheld
        if holding.mint == WRAPPED_SOL:
            assert account.lamports >= holding.amount + 2_039_280  # more where a deposit added the rent twice
    for token in TOKENS:
        state = sim.venue.accounts.get(token.mint)
        assert state is not None
        facts = read_mint(state.owner, state.data)
        assert facts is not None
        if token.mint != WRAPPED_SOL:
            assert facts[0] == amounts[token.mint]


amount = st.integers(1, 10**10)
client = st.integers(0, len(KEYS) - 1)
mint = st.sampled_from(MINTS)
swap = st.tuples(st.just("swap"), client, mint, mint, amount, st.sampled_from((0, 50)), st.booleans())
pay = st.tuples(st.just("pay"), client, client, amount)
wait = st.tuples(st.just("wait"), st.integers(1, 40))
move = st.tuples(st.just("move"), st.sampled_from(("SOL", "BONK", "JUP")), st.sampled_from(("0.5", "1.01", "2")))
give = st.tuples(st.just("give"), client, st.sampled_from(("SOL", "USDC", "FEE", "PYUSD")), amount)
fault = st.tuples(
    st.just("fault"),
    st.sampled_from((FaultKind.FORK, FaultKind.DELAY, FaultKind.DROP_REQUEST)),
    st.integers(-1, 20).map(lambda blocks: blocks * 400),
)
again = st.tuples(st.just("again"), st.integers(0, 50))
ask = st.tuples(st.just("ask"), st.integers(0, 50), st.sampled_from(("processed", "finalized")))
command = st.one_of(swap, swap, swap, pay, wait, move, give, fault, again, ask)


class Clients:
    """Random clients, which ignore errors."""

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim
        self._sent: list[bytes] = []
        for key in KEYS:
            sim.venue.fund(key.pubkey(), sol=20, tokens={"USDC": 10**10, "SOL": 10**10, "FEE": 10**11})

    async def do(self, name: str, *arguments: Any) -> None:
        """Execute one command."""
        act: Callable[..., Awaitable[None]] = getattr(self, name)
        await act(*arguments)

    async def swap(self, who: int, mint_in: str, mint_out: str, size: int, slippage: int, wrap: bool) -> None:
        query = {"inputMint": mint_in, "outputMint": mint_out, "amount": str(size), "slippageBps": str(slippage)}
        async with self._sim.http.get(self._sim.jupiter_url + "/swap/v2/quote", params=query) as answer:
            if answer.status == 200:
                transaction, _ = await self._sim.swap(await answer.json(), KEYS[who], wrapAndUnwrapSol=wrap)
                await self._send(bytes(transaction))

    async def pay(self, who: int, to: int, lamports: int) -> None:
        await self._send(bytes(await self._sim.pay(KEYS[who], KEYS[to].pubkey(), lamports)))

    async def wait(self, blocks: int) -> None:
        await self._sim.blocks(blocks)

    async def move(self, symbol: str, factor: str) -> None:
        self._sim.market.prices[symbol] *= Decimal(factor)

    async def give(self, who: int, symbol: str, size: int) -> None:
        self._sim.venue.fund(KEYS[who].pubkey(), sol=size / 10**9, tokens={symbol: size})

    async def fault(self, kind: FaultKind, value: int) -> None:
        self._sim.faults.add(Rule(route="solana/landing", kind=kind, value=value))

    async def again(self, number: int) -> None:
        if self._sent:
            await self._send(self._sent[number % len(self._sent)])

    async def ask(self, number: int, commitment: str) -> None:
        if self._sent:
            raw = base64.b64encode(self._sent[number % len(self._sent)]).decode()
            options = {"encoding": "base64", "replaceRecentBlockhash": True, "commitment": commitment}
            assert "result" in await self._sim.call("simulateTransaction", raw, options)

    async def _send(self, raw: bytes) -> None:
        self._sent.append(raw)
        options = {"encoding": "base64", "skipPreflight": True}
        await self._sim.call("sendTransaction", base64.b64encode(raw).decode(), options)


async def tape_of(commands: list[tuple[Any, ...]], after_each: Callable[[Simulation], None]) -> bytes:
    """Execute the commands on a new simulation, and return its tape."""
    async with open_simulation() as sim:
        clients = Clients(sim)
        after_each(sim)
        for one in commands:
            await clients.do(*one)
            after_each(sim)
        await sim.blocks(200)
        after_each(sim)
        return bytes(sim.tape)


@pytest.mark.slow
@settings(max_examples=60)
@given(st.lists(command, max_size=30))
def test_balances_are_conserved_and_equal_the_tape(commands: list[tuple[Any, ...]]) -> None:
    tape_balances = TapeBalances()
    asyncio.run(tape_of(commands, lambda sim: check(sim, tape_balances)))


@pytest.mark.slow
@settings(max_examples=10)
@given(st.lists(command, min_size=10, max_size=30))
def test_the_same_commands_give_the_same_tape(commands: list[tuple[Any, ...]]) -> None:
    first, second = (asyncio.run(tape_of(commands, lambda _: None)) for _ in range(2))
    assert first == second


def many_commands(seed: int) -> list[tuple[Any, ...]]:
    """Make enough commands that every kind of entry is on the tape."""
    random = Random(seed)
    faults = (FaultKind.FORK, FaultKind.DELAY, FaultKind.DROP_REQUEST)
    makers: list[Callable[[], tuple[Any, ...]]] = [
        lambda: ("swap", random.randrange(3), *random.sample(MINTS, 2), random.randrange(1, 10**8), 50, True),
        lambda: ("pay", random.randrange(3), random.randrange(3), random.randrange(1, 10**8)),
        lambda: ("wait", random.randrange(1, 10)),
        lambda: ("give", random.randrange(3), "USDC", random.randrange(1, 10**8)),
        lambda: ("fault", random.choice(faults), 400 * random.randrange(-1, 10)),
        lambda: ("again", random.randrange(50)),
        lambda: ("ask", random.randrange(50), random.choice(("processed", "finalized"))),
        lambda: ("move", "BONK", random.choice(("0.9", "1.1"))),
    ]
    return [random.choice(makers)() for _ in range(500)]


@pytest.mark.slow
def test_many_commands_with_every_kind_of_entry() -> None:
    def no_check(_: Simulation) -> None:
        return

    seen = Counter[str]()
    tape_balances = TapeBalances()

    def count(sim: Simulation) -> None:
        check(sim, tape_balances)
        seen.update(entry.kind for entry in sim.tape.entries(after=seen.total()))

    commands = many_commands(7)
    tape = asyncio.run(tape_of(commands, count))
    assert set(seen) == {"genesis", "funded", "received", "landed", "failed", "dropped", "forked"}
    assert seen["landed"] > 60
    assert seen["forked"] > 5
    assert asyncio.run(tape_of(commands, no_check)) == tape
