"""Nothing comes from nowhere: after every step of random clients all books agree, and the tape explains them."""

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
from tests.strandline_sim.solana.box import BONK, PYUSD, SOL, TOKENS, TOLL, USDC, Box, open_box

MINTS = (SOL, USDC, BONK, PYUSD, str(TOLL.mint))
KEYS = [Keypair.from_seed(bytes([number]) * 32) for number in range(1, 4)]


class Books(NamedTuple):
    """Who has what: lamports by address; tokens by account, and by account what is withheld there."""

    lamports: dict[str, int]
    tokens: dict[str, int]
    withheld: dict[str, int]


class TapeBooks:
    """The books according to the tape alone, which is read on from where it was read to."""

    def __init__(self) -> None:
        self._lamports, self._tokens, self._withheld = (defaultdict[str, int](int) for _ in range(3))
        self._landed: dict[str, Entry] = {}
        self._read = 0
        self.funded = 0
        self.fees = 0
        self.addresses: set[str] = set()

    def books(self, tape: Tape) -> Books:
        """Read the rest of the tape; return the books without zeros."""
        for entry in tape.entries(venue="solana", after=self._read):
            self._add(entry)
        self._read = len(tape)
        books = (self._lamports, self._tokens, self._withheld)
        return Books(*({key: value for key, value in book.items() if value} for book in books))

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


def held(venue: SolanaVenue, addresses: set[str]) -> Books:
    """The books according to the chain."""
    books = Books({}, {}, {})
    for address in addresses:
        account = venue.accounts.get(Pubkey.from_string(address))
        if account is not None:
            books.lamports[address] = account.lamports
            holding = read_holding(account.owner, account.data)
            if holding is not None and holding.amount:
                books.tokens[address] = holding.amount
            if holding is not None and holding.withheld:
                books.withheld[address] = holding.withheld
    return books


def check(box: Box, of_tape: TapeBooks) -> None:
    """Assert that chain and tape agree, and that nothing came from nowhere."""
    books = of_tape.books(box.tape)
    addresses = of_tape.addresses
    assert held(box.venue, addresses) == books
    assert sum(books.lamports.values()) == of_tape.funded - of_tape.fees
    amounts = defaultdict[Pubkey, int](int)
    for address in books.tokens.keys() | books.withheld.keys():
        account = box.venue.accounts.get(Pubkey.from_string(address))
        assert account is not None
        holding = read_holding(account.owner, account.data)
        assert holding is not None
        amounts[holding.mint] += holding.amount + holding.withheld
        if holding.mint == WRAPPED_SOL:
            assert account.lamports >= holding.amount + 2_039_280  # more where a gift brought the rent twice
    for token in TOKENS:
        state = box.venue.accounts.get(token.mint)
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
give = st.tuples(st.just("give"), client, st.sampled_from(("SOL", "USDC", "TOLL", "PYUSD")), amount)
fault = st.tuples(
    st.just("fault"),
    st.sampled_from((FaultKind.FORK, FaultKind.DELAY, FaultKind.DROP_REQUEST)),
    st.integers(-1, 20).map(lambda blocks: blocks * 400),
)
again = st.tuples(st.just("again"), st.integers(0, 50))
ask = st.tuples(st.just("ask"), st.integers(0, 50), st.sampled_from(("processed", "finalized")))
command = st.one_of(swap, swap, swap, pay, wait, move, give, fault, again, ask)


class Clients:
    """Random clients of one box; they do not care whether what they ask for works."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._sent: list[bytes] = []
        for key in KEYS:
            box.venue.fund(key.pubkey(), sol=20, tokens={"USDC": 10**10, "SOL": 10**10, "TOLL": 10**11})

    async def do(self, name: str, *arguments: Any) -> None:
        """One command."""
        act: Callable[..., Awaitable[None]] = getattr(self, name)
        await act(*arguments)

    async def swap(self, who: int, mint_in: str, mint_out: str, size: int, slippage: int, wrap: bool) -> None:
        query = {"inputMint": mint_in, "outputMint": mint_out, "amount": str(size), "slippageBps": str(slippage)}
        async with self._box.http.get(self._box.jupiter_url + "/swap/v2/quote", params=query) as answer:
            if answer.status == 200:
                transaction, _ = await self._box.swap(await answer.json(), KEYS[who], wrapAndUnwrapSol=wrap)
                await self._send(bytes(transaction))

    async def pay(self, who: int, to: int, lamports: int) -> None:
        await self._send(bytes(await self._box.pay(KEYS[who], KEYS[to].pubkey(), lamports)))

    async def wait(self, blocks: int) -> None:
        await self._box.blocks(blocks)

    async def move(self, symbol: str, factor: str) -> None:
        self._box.market.prices[symbol] *= Decimal(factor)

    async def give(self, who: int, symbol: str, size: int) -> None:
        self._box.venue.fund(KEYS[who].pubkey(), sol=size / 10**9, tokens={symbol: size})

    async def fault(self, kind: FaultKind, value: int) -> None:
        self._box.faults.add(Rule(route="solana/landing", kind=kind, value=value))

    async def again(self, number: int) -> None:
        if self._sent:
            await self._send(self._sent[number % len(self._sent)])

    async def ask(self, number: int, commitment: str) -> None:
        if self._sent:
            raw = base64.b64encode(self._sent[number % len(self._sent)]).decode()
            options = {"encoding": "base64", "replaceRecentBlockhash": True, "commitment": commitment}
            assert "result" in await self._box.call("simulateTransaction", raw, options)

    async def _send(self, raw: bytes) -> None:
        self._sent.append(raw)
        options = {"encoding": "base64", "skipPreflight": True}
        await self._box.call("sendTransaction", base64.b64encode(raw).decode(), options)


async def tape_of(commands: list[tuple[Any, ...]], after_each: Callable[[Box], None]) -> bytes:
    """What the tape says after the commands."""
    async with open_box() as box:
        clients = Clients(box)
        after_each(box)
        for one in commands:
            await clients.do(*one)
            after_each(box)
        await box.blocks(200)
        after_each(box)
        return bytes(box.tape)


@pytest.mark.slow
@settings(max_examples=60)
@given(st.lists(command, max_size=30))
def test_all_is_conserved_and_the_tape_explains_it(commands: list[tuple[Any, ...]]) -> None:
    of_tape = TapeBooks()
    asyncio.run(tape_of(commands, lambda box: check(box, of_tape)))


@pytest.mark.slow
@settings(max_examples=10)
@given(st.lists(command, min_size=10, max_size=30))
def test_the_same_commands_give_the_same_tape(commands: list[tuple[Any, ...]]) -> None:
    first, second = (asyncio.run(tape_of(commands, lambda _: None)) for _ in range(2))
    assert first == second


def long_story(seed: int) -> list[tuple[Any, ...]]:
    """So many commands that all that can happen does."""
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
def test_a_long_story_in_which_everything_happens() -> None:
    def quietly(_: Box) -> None:
        return

    seen = Counter[str]()
    of_tape = TapeBooks()

    def count(box: Box) -> None:
        check(box, of_tape)
        seen.update(entry.kind for entry in box.tape.entries(after=seen.total()))

    story = long_story(7)
    tape = asyncio.run(tape_of(story, count))
    assert set(seen) == {"genesis", "funded", "received", "landed", "failed", "dropped", "forked"}
    assert seen["landed"] > 60
    assert seen["forked"] > 5
    assert asyncio.run(tape_of(story, quietly)) == tape
